// What happened, second by second, in one environment. Off in training; on for `simulate`, pictures and explanations. Beside the
// events themselves it keeps what they mean, so that an episode can be shown and checked by somebody who has no engine.

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

/** A place: metres east and north of the centre, and under matrix travel the zone, else -1. */
export interface LoggedPlace {
  readonly x: number;
  readonly y: number;
  readonly zone: number;
}

/** A booking as it became known. Times are seconds since the start of the episode. */
export interface LoggedBooking {
  readonly knownAt: number;
  readonly pickup: LoggedPlace;
  readonly dropoff: LoggedPlace;
  readonly windowStart: number;
  readonly windowEnd: number;
  /** 1..5 */
  readonly priority: number;
  /** Bit k: needs skill k. */
  readonly skills: number;
  /** 1 for a return leg. */
  readonly leg: number;
  /** In 1/10000 of the money unit; 0 where fares are not paid. */
  readonly fare: number;
  readonly rideMetres: number;
}

/** An assignment with all that follows from it. Times are seconds since the start of the episode. */
export interface LoggedAssignment {
  /** When it was decided. */
  readonly second: number;
  readonly booking: number;
  readonly driver: number;
  /** Where the driver's plan ended until then. */
  readonly from: LoggedPlace;
  readonly departAt: number;
  /** At the pickup place; the pickup itself may have to wait for its window. */
  readonly arriveAt: number;
  readonly pickupAt: number;
  /** Away from the pickup place, service and boarding done. */
  readonly leaveAt: number;
  /** At the drop-off place. */
  readonly reachAt: number;
  /** Done there, service included. */
  readonly dropoffAt: number;
  readonly approachMetres: number;
  /** What the assignment earned. */
  readonly reward: number;
}

/** The end of a tick. */
export interface LoggedTick {
  /** Seconds since the start of the episode. */
  readonly second: number;
  /** How many events had been recorded by then, this tick's included. */
  readonly events: number;
  /** Reward of the wait that ended the tick; 0 if the tick ended with its last decision. */
  readonly wait: number;
  /** Reward of the bookings that expired or were refused in it. */
  readonly lost: number;
  /** Return of the episode so far. */
  readonly return: number;
  /** Bookings in each stage of life. */
  readonly created: number;
  readonly open: number;
  readonly assigned: number;
  readonly pickedUp: number;
  readonly completed: number;
  readonly expired: number;
  readonly refused: number;
}

/** An episode in full; plain data that threads can send. */
export interface EpisodeRecord {
  /** Where each driver started. */
  readonly starts: readonly LoggedPlace[];
  /** By number. */
  readonly bookings: readonly LoggedBooking[];
  /** In the order of the events of kind `assigned`. */
  readonly assignments: readonly LoggedAssignment[];
  readonly ticks: readonly LoggedTick[];
}

/** Records one episode in memory; set it as `World.log` before the reset. */
export class EventLog {
  /** In the order in which they were recorded. */
  readonly events: DispatchEvent[] = [];
  readonly #starts: LoggedPlace[] = [];
  readonly #bookings: LoggedBooking[] = [];
  readonly #assignments: LoggedAssignment[] = [];
  readonly #ticks: LoggedTick[] = [];

  /** Appends an event; parameters as of `DispatchEvent`. */
  record(second: number, kind: EventKind, booking: number, driver: number): void {
    this.events.push({ second, kind, booking, driver });
  }

  /** The next driver starts there. */
  start(place: LoggedPlace): void {
    this.#starts.push(place);
  }

  /** What the booking that was created last is. */
  describe(booking: LoggedBooking): void {
    this.#bookings.push(booking);
  }

  /** Appends the event of an assignment, and keeps its legs. */
  assign(assignment: LoggedAssignment): void {
    this.#assignments.push(assignment);
    this.record(assignment.second, 'assigned', assignment.booking, assignment.driver);
  }

  /** What the last assignment earned. */
  reward(reward: number): void {
    this.#assignments.push({ ...this.#assignments.pop()!, reward });
  }

  /** A tick has ended. */
  tick(tick: Omit<LoggedTick, 'events'>): void {
    this.#ticks.push({ ...tick, events: this.events.length });
  }

  /** Takes all events out, in order of time; events of one second keep the order in which they were recorded. */
  drain(): DispatchEvent[] {
    return this.events.splice(0).sort((a, b) => a.second - b.second);
  }

  /** What the events mean. */
  episode(): EpisodeRecord {
    return {
      starts: this.#starts,
      bookings: this.#bookings,
      assignments: this.#assignments,
      ticks: this.#ticks,
    };
  }
}
