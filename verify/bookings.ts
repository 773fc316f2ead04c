// The bookings of an episode: what they may be, and the one stage of life that each is in.

import type { Findings } from './findings.js';
import type { CreatedLine, LostLine, Place, Rules, Tables } from './lines.js';
import { levelOf, reachOf, straight } from './travel.js';

/** Stages of a booking's life. */
export type Stage = 'open' | 'assigned' | 'pickedUp' | 'completed' | 'expired' | 'refused';

/** The share by which a recorded ride may be shorter than the straight line between its places, which are rounded. */
const SHORTER = 0.05;
/** The same in metres. */
const SHORTER_METRES = 10;

/** Bookings by number. */
export class Bookings {
  /** How many are in each stage. */
  readonly counts: Record<Stage, number> = {
    open: 0,
    assigned: 0,
    pickedUp: 0,
    completed: 0,
    expired: 0,
    refused: 0,
  };
  readonly #rules: Rules;
  readonly #tables: Tables | null;
  readonly #findings: Findings;
  readonly #lines = new Map<number, CreatedLine>();
  readonly #stages = new Map<number, Stage>();
  readonly #open = new Set<number>();
  /** Found all slots taken: the next line must refuse it. */
  #turnedAway: number | null = null;
  /** Bookings known at the start whose window starts later. */
  #later = 0;
  /** Bookings that became known in the tick in hand, and when. */
  #calls: number[] = [];

  constructor(rules: Rules, tables: Tables | null, findings: Findings) {
    this.#rules = rules;
    this.#tables = tables;
    this.#findings = findings;
  }

  /** How many there are. */
  get created(): number {
    return this.#lines.size;
  }

  /** The booking of this number, if there is one; else that is found wrong. */
  of(booking: number): CreatedLine | undefined {
    const line = this.#lines.get(booking);
    if (line === undefined) {
      this.#findings.add('life', `booking ${booking}`, 'it is not known', 'a booking that was created before');
    }
    return line;
  }

  /** Says so if a booking that found no slot has not been refused at once. */
  beforeLine(kind: string, booking: number | undefined): void {
    if (this.#turnedAway === null) return;
    if (kind !== 'refused' || booking !== this.#turnedAway) {
      const subject = `open bookings once booking ${this.#turnedAway} is known`;
      this.#findings.add('slots', subject, this.counts.open, `at most ${this.#rules.slots}: it is refused`);
    }
    this.#turnedAway = null;
  }

  /** @param from second at which the tick in hand started */
  create(line: CreatedLine, from: number): void {
    const { booking, second } = line;
    const f = this.#findings;
    f.same('booking', 'number of the booking', booking, this.#lines.size);
    if (this.#lines.has(booking)) f.add('life', `booking ${booking}`, 'created', 'created once');
    if (this.#rules.openUntil === 'windowEnd') this.#expectExpired(second, 'when another booking becomes known');
    this.#lines.set(booking, line);
    this.#put(booking, 'open');
    if (this.counts.open > this.#rules.slots) this.#turnedAway = booking;
    this.#checkKind(line, from);
    if (second > from) this.#calls.push(second);
  }

  #checkKind(line: CreatedLine, from: number): void {
    const { booking } = line;
    const f = this.#findings;
    const { demand, skills } = this.#rules;
    const of = (what: string): string => `${what} of booking ${booking}`;
    this.#checkPlace(of('pickup place'), line.pickup);
    this.#checkPlace(of('drop-off place'), line.dropoff);
    if (line.windowEnd < line.windowStart) {
      f.add('booking', of('window end'), line.windowEnd, `at least its start ${line.windowStart}`);
    }
    for (const skill of line.skills) {
      if (skills.every(({ name }) => name !== skill)) {
        f.add('booking', of('skill'), skill, `one of ${skills.map(({ name }) => name).join(', ') || 'none'}`);
      }
    }
    const legs = demand.kind === 'synthetic' && demand.returnShare === 0 ? ['outbound'] : ['outbound', 'return'];
    if (!legs.includes(line.leg)) f.add('booking', of('leg'), line.leg, legs.join(' or '));
    if (line.fare < 0) f.add('booking', of('fare'), line.fare, 'at least 0');
    const [low, high] = demand.kind === 'synthetic' ? demand.priorities : [1, 5];
    this.#within(of('priority'), line.priority, low, high);
    const metres = straight(line.pickup, line.dropoff);
    if (demand.kind !== 'synthetic') {
      if (this.#tables === null && line.rideMetres < (1 - SHORTER) * metres - SHORTER_METRES) {
        f.add('travel', of('metres of the ride'), line.rideMetres, `at least the straight line's ${metres}`);
      }
      return;
    }
    f.metres('booking', of('metres of the ride'), line.rideMetres, metres);
    if (demand.prebooked !== undefined && line.second === 0 && line.windowStart !== 0) {
      const { windowStartMinutes } = demand.prebooked;
      this.#within(of('minutes until the window'), line.windowStart / 60, ...windowStartMinutes);
      this.#within('bookings for later', ++this.#later, 0, demand.prebooked.bookings[1]);
    } else f.same('booking', of('window start'), line.windowStart, line.second);
    const minutes = line.priority >= demand.urgentPriority ? demand.urgentWindowMinutes : demand.windowMinutes;
    this.#within(of('minutes of the window'), (line.windowEnd - line.windowStart) / 60, minutes[0], minutes[1]);
    if (line.second <= from) f.same('booking', of('second'), line.second, 0);
  }

  #within(subject: string, found: number, low: number, high: number): void {
    if (Number.isInteger(found) && found >= low && found <= high) return;
    this.#findings.add('booking', subject, found, `whole, ${low} to ${high}`);
  }

  #checkPlace(subject: string, place: Place): void {
    const f = this.#findings;
    const tables = this.#tables;
    if (tables !== null) {
      const zone = place.zone ?? -1;
      if (!Number.isInteger(zone) || zone < 0 || zone >= tables.zones) {
        f.add('booking', `zone of the ${subject}`, zone, `0 to ${tables.zones - 1}`);
      } else f.place('booking', subject, place, { x: tables.x[zone], y: tables.y[zone], zone });
    } else if (this.#rules.demand.kind === 'synthetic') {
      const reach = reachOf(this.#rules);
      f.atMost('booking', `metres from the centre, east or west, of the ${subject}`, Math.abs(place.x), reach.x + 0.01);
      f.atMost(
        'booking',
        `metres from the centre, north or south, of the ${subject}`,
        Math.abs(place.y),
        reach.y + 0.01,
      );
    }
  }

  /** From one stage to the next. */
  move(booking: number, from: Stage, to: Stage): void {
    const stage = this.#stages.get(booking);
    if (stage === undefined) return;
    this.#findings.same('life', `stage of booking ${booking} before it is ${words[to]}`, words[stage], words[from]);
    this.#put(booking, to);
  }

  #put(booking: number, to: Stage): void {
    const stage = this.#stages.get(booking);
    if (stage !== undefined) this.counts[stage]--;
    this.counts[to]++;
    this.#stages.set(booking, to);
    if (to === 'open') this.#open.add(booking);
    else this.#open.delete(booking);
  }

  /**
   * A booking expires or is refused.
   * @param from second at which the tick in hand started
   * @returns its priority, or 0 if there is no such booking
   */
  lose(line: LostLine, from: number): number {
    const { booking, second, kind } = line;
    const f = this.#findings;
    const known = this.of(booking);
    if (known === undefined) return 0;
    f.place('promise', `place of booking ${booking}`, line.place, known.pickup);
    const untilTickEnd = this.#rules.openUntil === 'tickEnd';
    if (kind === 'expired') {
      if (untilTickEnd)
        f.add('expiry', `booking ${booking}`, 'expired', 'refused: bookings are open until the tick ends');
      const due = Math.max(known.windowEnd, known.second);
      // What was over before the episode began is noticed later.
      if (due > 0) f.same('expiry', `second at which booking ${booking} expires`, second, due);
    } else if (this.counts.open <= this.#rules.slots && !(untilTickEnd && known.second <= from)) {
      f.add(
        'slots',
        `refusal of booking ${booking}`,
        `${this.counts.open - 1} other bookings are open`,
        this.#rules.slots,
      );
    } else {
      f.same('expiry', `second at which booking ${booking} is refused`, second, Math.max(from, known.second));
    }
    this.move(booking, 'open', kind);
    return known.priority;
  }

  #expectExpired(by: number, when: string): void {
    for (const booking of this.#open) {
      const { windowEnd, second } = this.#lines.get(booking)!;
      if (windowEnd > by || by <= 0) continue;
      this.#findings.add('expiry', `booking ${booking} ${when}`, 'open', `expired at ${Math.max(windowEnd, second)}`);
      this.#put(booking, 'expired');
    }
  }

  /** A tick from second `from` to `to` ends. */
  endTick(from: number, to: number): void {
    const f = this.#findings;
    if (this.#rules.openUntil === 'windowEnd') this.#expectExpired(to, 'at the end of the tick');
    else {
      for (const booking of this.#open) {
        if (this.#lines.get(booking)!.second > from) continue;
        f.add('expiry', `booking ${booking} at the end of the tick`, 'open', `refused at ${from}`);
        this.#put(booking, 'refused');
      }
    }
    const { demand, startSecondOfDay } = this.#rules;
    if (demand.kind !== 'synthetic') return;
    const count = this.#calls.length;
    if (from === 0) {
      const [fewest, most] = demand.prebooked?.bookings ?? [0, 0];
      const [least, greatest] = demand.initialBookings;
      this.#within('bookings that are known at the start', this.created - count, least + fewest, greatest + most);
    }
    if (count > 0) {
      const [low, high] = demand.bookingsPerArrival;
      this.#within('bookings of one call', count, low, high);
      if (this.#calls.some((second) => second !== this.#calls[0])) {
        f.add('booking', 'seconds of the calls in one tick', this.#calls.join(', '), 'one call, at one second');
      }
      if (!(levelOf(demand.arrivalProbability, startSecondOfDay + from) > 0)) {
        f.add('booking', 'bookings in a tick without calls', count, 0);
      }
    }
    this.#calls = [];
  }
}

const words: Readonly<Record<Stage, string>> = {
  open: 'open',
  assigned: 'assigned',
  pickedUp: 'picked up',
  completed: 'completed',
  expired: 'expired',
  refused: 'refused',
};
