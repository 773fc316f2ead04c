// Observations and masks, written in place after the state has changed. Only what has changed is touched: columns of slots that
// have opened or closed, rows of drivers that are marked stale, and what moves with the clock. An empty slot is all zeros, so it
// costs nothing.

import { Arrivals } from './arrivals.js';
import { BookingColumn, ContextColumn, DriverColumn } from './observation.js';

// V8 folds the module's own constants into optimised code; an imported one is loaded from its module at each use.
const Booking = BookingColumn;
const Context = ContextColumn;
const Driver = DriverColumn;

/** Observations carry times in hours: 60 minutes are 1. */
const PER_HOUR: number = 1 / 3600;

/** Most hours that are shown of what is left of a shift; `shiftToSecondOfDay` may not be more (validate.ts). */
const LONGEST_SHIFT = 240;

/** The layer of observations and masks. */
export abstract class Observer extends Arrivals {
  /** Skills that the slots in `list` need, a bit each. */
  private needed = 0;

  /** Zeros for environment e, in which only waiting is legal. */
  protected blank(e: number): void {
    this.out.observations.fill(0, e * this.observationSize, (e + 1) * this.observationSize);
    this.out.actionMasks.fill(0, e * this.actions, (e + 1) * this.actions);
    this.out.actionMasks[e * this.actions] = 1;
  }

  /** Once the clock has moved: everything that has changed, and everything that changes with the clock. */
  protected refresh(e: number): void {
    const st = this.state;
    const o = this.out.observations;
    const { windowStart, windowEnd, knownAt, freeAt, stale } = st;
    const { list, full, slots, bookingColumns } = this;
    const now = st.now[e];
    const opened = this.rewriteSlots(e);
    const open = this.listOpen(e);
    const first = e * this.observationSize + this.bookingsAt;
    for (let k = 0; k < open; k++) {
      const j = list[k];
      const s = e * slots + j;
      const p = first + j * bookingColumns;
      o[p + Booking.timeLeft] = (windowEnd[s] - now) * PER_HOUR;
      if (full) {
        const start = windowStart[s] - now;
        o[p + Booking.untilWindow] = start > 0 ? start * PER_HOUR : 0;
        o[p + Booking.age] = (now - knownAt[s]) * PER_HOUR;
      }
    }

    const factor = this.factorAt(now);
    for (let i = 0, d = e * this.drivers; i < this.drivers; i++, d++) {
      const free = freeAt[d];
      // The plan of a driver under way does not move with the clock, and neither do its pickups: only slots that have opened
      // are new to it. Of several windows, those that are near enough to be planned do move with it.
      if (free <= now) this.rewriteDriver(e, i, open, now, factor);
      else if (stale[d] === 1 || this.windows > 0) this.rewriteDriver(e, i, open, free, this.factorAt(free));
      else if (opened > 0 && this.isAvailable(e, i)) this.maskRow(e, i, this.opened, opened, free, this.factorAt(free));
      if (full) this.observePlan(e, i);
    }
    this.observeContext(e);
  }

  /** After an assignment to driver i that took no time: nothing else has changed. */
  protected refreshDriver(e: number, i: number): void {
    this.rewriteSlots(e);
    const depart = Math.max(this.state.now[e], this.state.freeAt[e * this.drivers + i]);
    this.rewriteDriver(e, i, this.listOpen(e), depart, this.factorAt(depart));
    if (this.full) this.observePlan(e, i);
    this.observeContext(e);
  }

  // ---------------------------------------------------------------- bookings

  /** Writes the open slots to `list`, and the skills that they need to `needed`. @returns how many slots there are */
  private listOpen(e: number): number {
    const { skills } = this.state;
    const { list, slots } = this;
    const open = this.openSlots(e, list);
    // Of the bookings, not of the scenario: a state that was sent may need skills that its scenario does not know.
    this.needed = 0;
    for (let k = 0; k < open; k++) this.needed |= skills[e * slots + list[k]];
    return open;
  }

  /**
   * Clears slots that have closed and writes bookings that have come, since the last call. Leaves the open ones of the latter in
   * `opened` and returns how many there are.
   */
  private rewriteSlots(e: number): number {
    const { closed, opened, marks, closedCount, openedCount } = this;
    this.closedCount = this.openedCount = 0;
    for (let k = 0; k < closedCount; k++) {
      marks[closed[k]] = 0;
      this.clearSlot(e, closed[k]);
    }
    let count = 0;
    for (let k = 0; k < openedCount; k++) {
      const j = opened[k];
      marks[j] = 0;
      if (!this.isOpen(e, j)) continue;
      this.observeBooking(e, j);
      opened[count++] = j;
    }
    return count;
  }

  private clearSlot(e: number, j: number): void {
    const masks = this.out.actionMasks;
    const slots = this.slots;
    for (let a = e * this.actions + 1 + j, i = 0; i < this.drivers; i++, a += slots) masks[a] = 0;
    const o = this.out.observations;
    const p = e * this.observationSize + this.bookingsAt + j * this.bookingColumns;
    for (let k = 0; k < this.bookingColumns; k++) o[p + k] = 0;
  }

  /** Columns of the booking in slot j that do not change with the clock. */
  private observeBooking(e: number, j: number): void {
    const st = this.state;
    const s = e * this.slots + j;
    const o = this.out.observations;
    const p = e * this.observationSize + this.bookingsAt + j * this.bookingColumns;
    o[p + Booking.pickupX] = st.pickupX[s] * this.scaleX;
    o[p + Booking.pickupY] = st.pickupY[s] * this.scaleY;
    o[p + Booking.priority] = st.priority[s] / 5;
    if (!this.full) return;
    o[p + Booking.present] = 1;
    o[p + Booking.dropoffX] = st.dropoffX[s] * this.scaleX;
    o[p + Booking.dropoffY] = st.dropoffY[s] * this.scaleY;
    o[p + Booking.ride] = st.rideSeconds[s] * PER_HOUR;
    o[p + Booking.leg] = st.leg[s];
    o[p + Booking.fare] = st.fare[s] / 1e5;
    const skills = st.skills[s];
    const first = p + Booking.skills;
    const count = this.bookingColumns - Booking.skills;
    for (let k = 0; k < count; k++) o[first + k] = (skills >>> k) & 1;
  }

  // ---------------------------------------------------------------- drivers

  /** Availability of driver i, and its row of the mask for the first `open` slots of `list`; `depart` and `factor` as of `maskRow`. */
  private rewriteDriver(e: number, i: number, open: number, depart: number, factor: number): void {
    const { stale } = this.state;
    const d = e * this.drivers + i;
    stale[d] = 0;
    const available = this.isAvailable(e, i);
    this.out.observations[e * this.observationSize + i * this.driverColumns + Driver.available] = available ? 1 : 0;
    if (available) {
      this.maskRow(e, i, this.list, open, depart, factor);
      return;
    }
    const masks = this.out.actionMasks;
    const row = e * this.actions + 1 + i * this.slots;
    for (let k = 0; k < open; k++) masks[row + this.list[k]] = 0;
  }

  /** Columns of driver i that only an assignment changes: the caller says when. */
  protected observePlace(e: number, i: number): void {
    const st = this.state;
    const o = this.out.observations;
    const d = e * this.drivers + i;
    const p = e * this.observationSize + i * this.driverColumns;
    o[p + Driver.x] = st.endX[d] * this.scaleX;
    o[p + Driver.y] = st.endY[d] * this.scaleY;
    o[p + Driver.load] = st.load[d] / 10;
    if (!this.full) return;
    const { emergency, driverSkills } = this.compiled;
    o[p + Driver.emergency] = emergency[i];
    const first = p + Driver.skills;
    const count = this.bookingColumns - Booking.skills;
    for (let k = 0; k < count; k++) o[first + k] = (driverSkills[i] >>> k) & 1;
  }

  /** Columns of driver i that change with its plan and with the clock. */
  private observePlan(e: number, i: number): void {
    const st = this.state;
    const o = this.out.observations;
    const d = e * this.drivers + i;
    const p = e * this.observationSize + i * this.driverColumns;
    const now = st.now[e];
    const free = st.freeAt[d];
    const length = st.planLength[d];
    const next = length === 0 ? 0 : (st.planDropoffAt[d * this.queue + st.planHead[d]] - now) * PER_HOUR;
    o[p + Driver.plan] = length / this.queue;
    o[p + Driver.untilFree] = free > now ? (free - now) * PER_HOUR : 0;
    o[p + Driver.untilDropoff] = next;
    if (this.compiled.shifts === null) return;
    const left = st.shiftEnd[d] - now;
    // Live states may have drivers without an end of shift.
    o[p + this.driverColumns - 1] = left > 0 ? Math.min(left * PER_HOUR, LONGEST_SHIFT) : 0;
  }

  private observeContext(e: number): void {
    const st = this.state;
    const { compiled } = this;
    const o = this.out.observations;
    const p = e * this.observationSize + this.contextAt;
    const tick = st.tick[e];
    o[p + Context.timeOfDay] = compiled.dayFractionByTick[tick];
    o[p + Context.traffic] = compiled.trafficByTick[tick];
    if (!this.full) return;
    o[p + Context.elapsed] = tick / compiled.ticks;
    o[p + Context.open] = st.open[e] / this.slots;
    o[p + Context.created] = st.created[e] / 100;
  }

  // ---------------------------------------------------------------- masks

  /**
   * Mask of an available driver i for the first `count` slots of `list`.
   * @param depart second at which the driver would set out
   * @param factor travel seconds / free-flow seconds then
   */
  private maskRow(e: number, i: number, list: Int32Array, count: number, depart: number, factor: number): void {
    const { approach, latestPickup } = this.state;
    const row = e * this.actions + 1 + i * this.slots;
    const pairs = (e * this.drivers + i) * this.slots;
    markInTime(this.out.actionMasks, row, approach, pairs, latestPickup, e * this.slots, list, count, depart, factor);
    if ((this.needed & ~this.compiled.driverSkills[i]) !== 0) this.maskSkills(e, i, list, count);
    if (this.windows > 0) this.maskWindows(e, i, list, count);
    if (this.state.dropoffsBound[e] === 1) this.maskDropoffs(e, i, list, count);
  }

  /** Forbids what driver i lacks a skill for. */
  private maskSkills(e: number, i: number, list: Int32Array, count: number): void {
    const row = e * this.actions + 1 + i * this.slots;
    for (let k = 0; k < count; k++) if (!this.hasSkills(e, i, list[k])) this.out.actionMasks[row + list[k]] = 0;
  }

  /** Again for slots with several windows. */
  private maskWindows(e: number, i: number, list: Int32Array, count: number): void {
    const row = e * this.actions + 1 + i * this.slots;
    for (let k = 0; k < count; k++) {
      const j = list[k];
      if (this.state.windowCounts[2 * (e * this.slots + j)] === 0) continue;
      this.out.actionMasks[row + j] = this.hasSkills(e, i, j) && this.isInTime(e, i, j) ? 1 : 0;
    }
  }

  /** Forbids what would end too late. */
  private maskDropoffs(e: number, i: number, list: Int32Array, count: number): void {
    const row = e * this.actions + 1 + i * this.slots;
    for (let k = 0; k < count; k++) {
      const j = list[k];
      if (!this.isDroppedInTime(e, i, j) || !this.isWithinShift(e, i, j)) this.out.actionMasks[row + j] = 0;
    }
  }
}

/**
 * 1 in `masks` from `row` on, at those of the first `count` slots of `list` that are reached by their latest pickup, else 0. A function
 * of its own, so that what it needs stays in registers.
 *
 * The window's start does not matter: it is never after the latest pickup. The arrival is that of `arrival`. A sign instead of a
 * condition: processors guess these, and many of the guesses would be wrong.
 */
function markInTime(
  masks: Uint8Array,
  row: number,
  approach: Float32Array,
  pairs: number,
  latestPickup: Int32Array,
  bookings: number,
  list: Int32Array,
  count: number,
  depart: number,
  factor: number,
): void {
  for (let k = 0; k < count; k++) {
    const j = list[k];
    const at = depart + ((approach[pairs + j] * factor + 0.5) | 0);
    masks[row + j] = (at - latestPickup[bookings + j] - 1) >>> 31;
  }
}
