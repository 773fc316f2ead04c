// What happened, second by second, in one environment. Off in training; on for `simulate`, pictures and explanations.

/** What can happen: the stages of a booking's life, and illegal actions. */
export const eventKinds = ['created', 'refused', 'assigned', 'pickedUp', 'completed', 'expired', 'invalid'] as const;
/** Kind of an event. */
export type EventKind = (typeof eventKinds)[number];

/** One event of an episode. */
export interface DispatchEvent {
  /** Seconds since the start of the episode. */
  readonly second: number;
  readonly kind: EventKind;
  /** Booking number within the episode, -1 if the event has none. */
  readonly booking: number;
  /** Driver index, -1 if the event has none. */
  readonly driver: number;
}

/** Records events in memory; set it as `World.log`. */
export class EventLog {
  /** In the order in which they were recorded. */
  readonly events: DispatchEvent[] = [];

  /** Appends an event; parameters as of `DispatchEvent`. */
  record(second: number, kind: EventKind, booking: number, driver: number): void {
    this.events.push({ second, kind, booking, driver });
  }

  /** Takes all events out, in order of time; events of one second keep the order in which they were recorded. */
  drain(): DispatchEvent[] {
    return this.events.splice(0).sort((a, b) => a.second - b.second);
  }
}
