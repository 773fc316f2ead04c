// What happened, second by second, in one environment. Off in training; on for `simulate`, pictures and explanations.

export const eventKinds = ['created', 'refused', 'assigned', 'pickedUp', 'completed', 'expired', 'invalid'] as const;
export type EventKind = (typeof eventKinds)[number];

export interface DispatchEvent {
  /** Seconds since the start of the episode. */
  readonly second: number;
  readonly kind: EventKind;
  /** Booking number within the episode, -1 if the event has none. */
  readonly booking: number;
  /** Driver index, -1 if the event has none. */
  readonly driver: number;
}

export class EventLog {
  readonly events: DispatchEvent[] = [];

  record(second: number, kind: EventKind, booking: number, driver: number): void {
    this.events.push({ second, kind, booking, driver });
  }

  /** Takes all events out, in order of time; events of one second keep the order in which they were recorded. */
  drain(): DispatchEvent[] {
    return this.events.splice(0).sort((a, b) => a.second - b.second);
  }
}
