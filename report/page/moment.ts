// What an episode is like at one second: where each driver is and what it does, which bookings are open or promised, and the counts
// so far. Pure functions of the episode and the second.

import type { BookingView, EpisodeView, LegView, Point } from '../view.js';

/** What a driver does. */
export type Doing = 'idle' | 'approach' | 'wait' | 'ride';

/** A driver at a second. */
export interface DriverNow {
  readonly doing: Doing;
  readonly at: Point;
  /** The leg in hand, if there is one. */
  readonly leg: LegView | null;
  /** Promises after the leg in hand. */
  readonly next: readonly LegView[];
}

/** Counts up to a second. */
export interface CountsNow {
  readonly return: number;
  readonly created: number;
  readonly open: number;
  readonly promised: number;
  readonly onBoard: number;
  readonly completed: number;
  readonly expired: number;
  readonly refused: number;
}

/** An episode, sorted so that a second is quickly found. */
export class Moments {
  /** The episode. */
  readonly view: EpisodeView;
  readonly #legsOf: readonly LegView[][];
  readonly #legOf = new Map<number, LegView>();

  constructor(view: EpisodeView) {
    this.view = view;
    this.#legsOf = view.drivers.map(() => []);
    for (const leg of view.legs) {
      this.#legsOf[leg.driver].push(leg);
      this.#legOf.set(leg.booking, leg);
    }
  }

  /** The assignment of a booking, if it got one. */
  legOf(booking: number): LegView | undefined {
    return this.#legOf.get(booking);
  }

  /** Driver `i` at a second. */
  driver(i: number, second: number): DriverNow {
    const legs = this.#legsOf[i];
    let k = -1;
    while (k + 1 < legs.length && legs[k + 1].departAt <= second && legs[k + 1].decidedAt <= second) k++;
    const next = legs.slice(k + 1).filter((leg) => leg.decidedAt <= second);
    const leg = legs[k];
    if (leg === undefined) return { doing: 'idle', at: this.view.drivers[i].start, leg: null, next };
    const { pickup, dropoff } = this.view.bookings[leg.booking];
    if (second < leg.arriveAt) {
      return { doing: 'approach', at: between(leg.from, pickup, share(second, leg.departAt, leg.arriveAt)), leg, next };
    }
    if (second < leg.pickupAt) return { doing: 'wait', at: pickup, leg, next };
    if (second < leg.dropoffAt) {
      return { doing: 'ride', at: between(pickup, dropoff, share(second, leg.leaveAt, leg.reachAt)), leg, next };
    }
    return { doing: 'idle', at: dropoff, leg: null, next };
  }

  /** Numbers of the bookings that are open at a second. */
  open(second: number): number[] {
    const found: number[] = [];
    for (const [k, { knownAt, openUntil, fate }] of this.view.bookings.entries()) {
      // What is open at the end of the episode is so at its last second.
      if (knownAt <= second && (second < openUntil || (fate === 'open' && second === openUntil))) found.push(k);
    }
    return found;
  }

  /** Counts up to a second. */
  counts(second: number): CountsNow {
    const counts = { created: 0, open: 0, promised: 0, onBoard: 0, completed: 0, expired: 0, refused: 0 };
    for (const [k, booking] of this.view.bookings.entries()) {
      if (booking.knownAt > second) continue;
      counts.created++;
      counts[this.#stage(booking, k, second)]++;
    }
    const ticks = Math.floor(second / this.view.tickSeconds);
    return { ...counts, return: ticks === 0 ? 0 : this.view.returns[Math.min(ticks, this.view.returns.length) - 1] };
  }

  #stage(booking: BookingView, k: number, second: number): keyof Omit<CountsNow, 'return' | 'created'> {
    const { fate, openUntil } = booking;
    if (fate === 'open' || second < openUntil) return 'open';
    if (fate !== 'assigned') return fate;
    const leg = this.#legOf.get(k)!;
    return second < leg.pickupAt ? 'promised' : second < leg.dropoffAt ? 'onBoard' : 'completed';
  }
}

function share(second: number, from: number, to: number): number {
  return to <= from ? 1 : Math.min(1, Math.max(0, (second - from) / (to - from)));
}

function between(from: Point, to: Point, part: number): Point {
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
}

/** `08:05:30` of a second of the episode. */
export function clock({ startSecondOfDay }: EpisodeView, second: number): string {
  const s = Math.floor(startSecondOfDay + second) % 86_400;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${two(s / 3600)}:${two((s / 60) % 60)}:${two(s % 60)}`;
}
