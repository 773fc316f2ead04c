// The interface that every served policy is reduced to: a decision on an environment of a world.

/** Decides on the world that it was made for. */
export interface Decider {
  /** Action of environment e, 0 to wait. */
  decide(e: number): number;
  /** Probability of the last action; null for a rule. */
  readonly confidence: number | null;
}
