// Which trials run, and how far: successive halving without waiting (ASHA, Li et al. 2020), in the study's own time. A trial takes
// as long as it has steps, in one of `slots` places, so the order of events depends on the study alone: not on which process was
// quick, how many there were, or which of them died. A pure function of the results so far.

import { randomPoint, tpePoint } from './tpe.js';
import type { Observation } from './tpe.js';
import type { Point } from './space.js';
import type { Study } from './study.js';

/** What a trial has come to at one rung. */
export interface RungResult {
  /** Mean of the objective over the seeds; null if a seed's training failed. */
  readonly value: number | null;
  /** By how much constraints are broken, 0 if they hold. */
  readonly violation: number;
}

/** A trial: a point, and its results so far. */
export interface Trial {
  readonly number: number;
  readonly point: Point;
  /** One for each rung that it has come through. */
  readonly results: readonly RungResult[];
}

/** A trial's way to one rung. */
export interface Task {
  readonly trial: number;
  readonly point: Point;
  readonly rung: number;
}

interface OpenTrial extends Trial {
  readonly results: RungResult[];
  /** Rung to which it has been sent last. */
  sentTo: number;
}

interface Slot {
  task: Task | null;
  endsAt: number;
}

/** The state of a study. */
export class Schedule {
  readonly #study: Study;
  readonly #trials: OpenTrial[] = [];
  readonly #slots: Slot[];
  /** Results that are known before the study's time has come to them, by task. */
  readonly #early = new Map<string, RungResult>();
  #now = 0;
  #stepsBegun = 0;
  #limit: number;

  /** A study at its beginning. */
  constructor(study: Study) {
    this.#study = study;
    this.#slots = Array.from({ length: study.slots }, () => ({ task: null, endsAt: 0 }));
    this.#limit = study.trials;
    this.#fill();
  }

  /** Tasks under way: what can be worked on now. In the order of their trials. */
  get tasks(): readonly Task[] {
    return this.#slots
      .flatMap(({ task }) => (task === null || this.#early.has(keyOf(task)) ? [] : [task]))
      .sort((a, b) => a.trial - b.trial);
  }

  /** Whether there is nothing left to do. */
  get finished(): boolean {
    return this.#slots.every(({ task }) => task === null);
  }

  /** All trials that have begun. */
  get trials(): readonly Trial[] {
    return this.#trials;
  }

  /** Trials from the best to the worst: by how far they came, then by value; those that break a constraint come last. */
  get ranking(): readonly Trial[] {
    return this.#ranked();
  }

  #ranked(): OpenTrial[] {
    return this.#trials.filter(({ results }) => results.length > 0).sort((a, b) => compareTrials(this.#study, a, b));
  }

  /** No trial begins any more but those that have begun. */
  stopNew(): void {
    this.#limit = this.#trials.length;
  }

  /** Trials that begin at most. */
  get limit(): number {
    return this.#limit;
  }

  /** Begins `trials` at most, as a study that was stopped by the clock. */
  limitTo(trials: number): void {
    this.#limit = Math.min(this.#limit, trials);
  }

  /** Takes a result, and goes on in time as far as results are known. */
  complete(task: Task, result: RungResult): void {
    this.#early.set(keyOf(task), result);
    for (;;) {
      const next = this.#nextEvent();
      if (next === null) return;
      const known = this.#early.get(keyOf(next.task!));
      if (known === undefined) return;
      this.#early.delete(keyOf(next.task!));
      this.#now = next.endsAt;
      this.#trials[next.task!.trial].results.push(known);
      next.task = null;
      this.#fill();
    }
  }

  /** The slot whose task ends first; of several the one with the earliest trial. */
  #nextEvent(): Slot | null {
    let first: Slot | null = null;
    for (const slot of this.#slots) {
      if (slot.task === null) continue;
      const isEarlier =
        first === null ||
        slot.endsAt < first.endsAt ||
        (slot.endsAt === first.endsAt && slot.task.trial < first.task!.trial);
      if (isEarlier) first = slot;
    }
    return first;
  }

  #fill(): void {
    for (const slot of this.#slots) {
      if (slot.task !== null) continue;
      const task = this.#decide();
      if (task === null) return;
      const { rungs, seeds } = this.#study;
      const steps = (rungs[task.rung] - (task.rung === 0 ? 0 : rungs[task.rung - 1])) * seeds.length;
      slot.task = task;
      slot.endsAt = this.#now + steps;
      this.#stepsBegun += steps;
    }
  }

  /** What a free slot does next. */
  #decide(): Task | null {
    const { rungs, eta, budgetSteps } = this.#study;
    for (let rung = rungs.length - 2; rung >= 0; rung--) {
      const there = this.#trials.filter(({ results }) => results.length > rung);
      const better = there.sort((a, b) => compareAt(this.#study, rung, a, b)).slice(0, Math.floor(there.length / eta));
      const next = better.find(({ sentTo, results }) => sentTo === rung && results[rung].value !== null);
      if (next !== undefined) return this.#promote(next, rung + 1);
    }
    if (this.#trials.length < this.#limit && (budgetSteps === null || this.#stepsBegun < budgetSteps))
      return this.#begin();
    // At the end the best goes all the way, however few there were to be better than.
    if (this.#slots.some(({ task }) => task !== null)) return null;
    const leader = this.#ranked().at(0);
    if (leader === undefined || leader.results.length === rungs.length || leader.results.at(-1)!.value === null)
      return null;
    return this.#promote(leader, leader.results.length);
  }

  #promote(trial: OpenTrial, rung: number): Task {
    trial.sentTo = rung;
    return { trial: trial.number, point: trial.point, rung };
  }

  #begin(): Task {
    const { space, sampler, samplerSeed } = this.#study;
    const number = this.#trials.length;
    const ranks = new Map(this.ranking.map((trial, rank) => [trial.number, rank]));
    const observations = this.#trials.map((trial): Observation => ({
      point: trial.point,
      rank: ranks.get(trial.number) ?? null,
    }));
    const point =
      sampler === 'random'
        ? randomPoint(space, samplerSeed, number)
        : tpePoint(space, observations, samplerSeed, number);
    this.#trials.push({ number, point, results: [], sentTo: 0 });
    return { trial: number, point, rung: 0 };
  }
}

/** Of a trial, what its place among others depends on. */
export type Ranked = Pick<Trial, 'number' | 'results'>;

/** Below 0 if `a` is better than `b`; both have a result. By how far they came, then as at the last rung of both. */
export function compareTrials(study: Pick<Study, 'objective'>, a: Ranked, b: Ranked): number {
  const last = Math.min(a.results.length, b.results.length) - 1;
  if (a.results.length === b.results.length) return compareAt(study, last, a, b);
  // A failed trial has come to its last rung only by name.
  const reached = ({ results }: Ranked): number => results.length - (results.at(-1)!.value === null ? 1 : 0);
  return reached(b) - reached(a) || compareAt(study, last, a, b);
}

/** Those that failed come last, before them those that break a constraint; of equals the earlier one is better. */
function compareAt({ objective }: Pick<Study, 'objective'>, rung: number, a: Ranked, b: Ranked): number {
  const [first, second] = [a.results[rung], b.results[rung]];
  if ((first.value === null) !== (second.value === null)) return first.value === null ? 1 : -1;
  if (first.violation !== second.violation) return first.violation - second.violation;
  const sign = objective.direction === 'maximize' ? 1 : -1;
  return first.value === second.value ? a.number - b.number : sign * (second.value! - first.value!);
}

function keyOf({ trial, rung }: Task): string {
  return `${trial}/${rung}`;
}
