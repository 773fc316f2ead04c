// What the planner computes with: the free vehicles and open bookings of one environment, copied into flat arrays. Both are sorted
// by their properties, so that a plan does not depend on the order in which they came.

import { windowStride } from '../engine/index.js';
import type { World } from '../engine/index.js';

/** Priorities are 0..100 here; the world's own 1..5 are its fifths. */
const MOST_PRIORITY = 100;

/**
 * Weight of serving a booking of priority 0..100. Squared, so that one at 100 counts more than two at 60, and never 0, so
 * that no booking is left out without cause.
 */
export function worthOf(priority: number): number {
  return (30 + priority) * (30 + priority);
}

/** Free vehicles and open bookings of one environment; arrays may be longer than what counts, and are reused. */
export class PlannerArrays {
  /** Second of the episode. */
  now = 0;
  /** Vehicles that have room for a booking. */
  drivers = 0;
  /** Open bookings. */
  bookings = 0;
  /** Bookings that a plan may hold. */
  depth = 1;

  // By driver.
  /** Number in the world. */
  driver: Int32Array = new Int32Array(0);
  /** New bookings that its plan has room for. */
  room: Int32Array = new Int32Array(0);
  /** When it can start for the next booking. */
  startAt: Int32Array = new Int32Array(0);
  /** Second of the episode at which its shift ends. */
  shiftEnd: Int32Array = new Int32Array(0);
  /** Bit set of the skills it has. */
  driverSkills: Int32Array = new Int32Array(0);
  /** 1 if its plan is empty. */
  idle: Uint8Array = new Uint8Array(0);

  // By booking.
  /** Slot in the world. */
  slot: Int32Array = new Int32Array(0);
  /** Second of the episode, before which a pickup waits. */
  windowStart: Int32Array = new Int32Array(0);
  /** Second of the episode, after which a pickup is late, where the booking has a single window. */
  windowEnd: Int32Array = new Int32Array(0);
  /** Latest second at which a pickup is accepted and, where fares are paid, earns. */
  latest: Int32Array = new Int32Array(0);
  /** Seconds at the pickup. */
  pickupService: Int32Array = new Int32Array(0);
  /** Seconds at the drop-off. */
  dropoffService: Int32Array = new Int32Array(0);
  /** Earliest second at which the drop-off may begin. */
  earliestDropoff: Int32Array = new Int32Array(0);
  /** Latest second at which the drop-off may begin. */
  latestDropoff: Int32Array = new Int32Array(0);
  /** Bit set of the skills it needs. */
  skills: Int32Array = new Int32Array(0);
  /** Free-flow seconds from pickup to drop-off. */
  rideSeconds: Float64Array = new Float64Array(0);
  /** 0..100 */
  priority: Float64Array = new Float64Array(0);
  /** As `worthOf` its priority. */
  worth: Float64Array = new Float64Array(0);
  /** Index into the travel matrix; not used in a plane. */
  pickupZone: Int32Array = new Int32Array(0);
  /** Index into the travel matrix; not used in a plane. */
  dropoffZone: Int32Array = new Int32Array(0);

  // Where bookings may have several windows: the world's lists, where a booking's begin, and how many there are, pickup and
  // drop-off, 0 for one.
  /** Windows of a booking at most; 0 where all have one. */
  several = 0;
  /** The world's lists of windows. */
  windows: Int32Array = new Int32Array(0);
  /** Offset of a booking's windows in `windows`. */
  windowsAt: Int32Array = new Int32Array(0);
  /** Windows of the pickup and of the drop-off, two numbers a booking; 0 for a single window. */
  windowCounts: Uint8Array = new Uint8Array(0);
  /** Seconds after a window that a pickup may be late. */
  tolerance = 0;
  /** Seconds from now within which a later window may begin. */
  patience = 0;

  /** Free-flow seconds from where the driver ends to the pickup, `[drivers, bookings]`. */
  first: Float32Array = new Float32Array(0);
  /** Free-flow seconds from the drop-off of a to the pickup of b, `[bookings, bookings]`. */
  between: Float32Array = new Float32Array(0);

  #order = new Int32Array(0);

  /**
   * Reads environment e.
   * @param priorities `[slots]` 0..100; null for the world's own
   */
  read(world: World, e: number, priorities: Float64Array | null): void {
    this.now = world.state.now[e];
    this.depth = world.compiled.scenario.queue;
    this.#readDrivers(world, e);
    this.#readBookings(world, e, priorities);
    this.#readWindows(world, e);
    this.#readLegs(world, e);
  }

  #readDrivers(world: World, e: number): void {
    const { state: st, compiled } = world;
    if (this.driver.length < world.drivers) {
      const n = world.drivers;
      this.driver = new Int32Array(n);
      this.room = new Int32Array(n);
      this.startAt = new Int32Array(n);
      this.shiftEnd = new Int32Array(n);
      this.driverSkills = new Int32Array(n);
      this.idle = new Uint8Array(n);
    }
    let count = 0;
    for (let i = 0; i < world.drivers; i++) if (world.isAvailable(e, i)) this.driver[count++] = i;
    const from = e * world.drivers;
    this.driver
      .subarray(0, count)
      .sort(
        (a, b) =>
          st.freeAt[from + a] - st.freeAt[from + b] ||
          st.endX[from + a] - st.endX[from + b] ||
          st.endY[from + a] - st.endY[from + b] ||
          st.endZone[from + a] - st.endZone[from + b] ||
          compiled.driverSkills[a] - compiled.driverSkills[b] ||
          st.shiftEnd[from + a] - st.shiftEnd[from + b] ||
          a - b,
      );
    const now = st.now[e];
    for (let k = 0; k < count; k++) {
      const i = this.driver[k];
      const d = from + i;
      this.room[k] = this.depth - st.planLength[d];
      this.startAt[k] = Math.max(now, st.freeAt[d]);
      this.shiftEnd[k] = st.shiftEnd[d];
      this.driverSkills[k] = compiled.driverSkills[i];
      this.idle[k] = st.planLength[d] === 0 ? 1 : 0;
    }
    this.drivers = count;
  }

  #readBookings(world: World, e: number, priorities: Float64Array | null): void {
    const { state: st, compiled } = world;
    if (this.slot.length < world.slots) {
      const m = world.slots;
      this.slot = new Int32Array(m);
      this.windowStart = new Int32Array(m);
      this.windowEnd = new Int32Array(m);
      this.latest = new Int32Array(m);
      this.pickupService = new Int32Array(m);
      this.dropoffService = new Int32Array(m);
      this.earliestDropoff = new Int32Array(m);
      this.latestDropoff = new Int32Array(m);
      this.skills = new Int32Array(m);
      this.rideSeconds = new Float64Array(m);
      this.priority = new Float64Array(m);
      this.worth = new Float64Array(m);
      this.pickupZone = new Int32Array(m);
      this.dropoffZone = new Int32Array(m);
      this.#order = new Int32Array(m);
    }
    const from = e * world.slots;
    const order = this.#order;
    const count = world.openSlots(e, order);
    const priorityOf = (j: number): number =>
      priorities === null ? (MOST_PRIORITY / 5) * st.priority[from + j] : priorities[j];
    order
      .subarray(0, count)
      .sort(
        (a, b) =>
          priorityOf(b) - priorityOf(a) ||
          st.windowEnd[from + a] - st.windowEnd[from + b] ||
          st.windowStart[from + a] - st.windowStart[from + b] ||
          st.pickupX[from + a] - st.pickupX[from + b] ||
          st.pickupY[from + a] - st.pickupY[from + b] ||
          st.pickupZone[from + a] - st.pickupZone[from + b] ||
          st.rideSeconds[from + a] - st.rideSeconds[from + b] ||
          st.dropoffX[from + a] - st.dropoffX[from + b] ||
          st.skills[from + a] - st.skills[from + b] ||
          a - b,
      );
    // In a world of fares a late pickup is legal and earns nothing.
    const paid = compiled.scenario.reward.kind === 'fare';
    for (let k = 0; k < count; k++) {
      const j = order[k];
      const s = from + j;
      this.slot[k] = j;
      this.windowStart[k] = st.windowStart[s];
      this.windowEnd[k] = st.windowEnd[s];
      this.latest[k] = paid ? Math.min(st.windowEnd[s], st.latestPickup[s]) : st.latestPickup[s];
      this.pickupService[k] = st.pickupService[s];
      this.dropoffService[k] = st.dropoffService[s];
      this.earliestDropoff[k] = st.earliestDropoff[s];
      this.latestDropoff[k] = st.latestDropoff[s];
      this.skills[k] = st.skills[s];
      this.rideSeconds[k] = st.rideSeconds[s];
      this.priority[k] = priorityOf(j);
      this.worth[k] = worthOf(this.priority[k]);
      this.pickupZone[k] = st.pickupZone[s];
      this.dropoffZone[k] = st.dropoffZone[s];
    }
    this.bookings = count;
  }

  #readWindows({ state: st, compiled, slots }: World, e: number): void {
    this.several = compiled.windows;
    if (compiled.windows === 0) return;
    if (this.windowsAt.length < slots) {
      this.windowsAt = new Int32Array(slots);
      this.windowCounts = new Uint8Array(2 * slots);
    }
    this.windows = st.windows;
    this.tolerance = compiled.scenario.lateToleranceSeconds;
    this.patience = st.patience[e];
    const stride = windowStride(compiled);
    for (let k = 0; k < this.bookings; k++) {
      const s = e * slots + this.slot[k];
      this.windowsAt[k] = s * stride;
      this.windowCounts[2 * k] = st.windowCounts[2 * s];
      this.windowCounts[2 * k + 1] = st.windowCounts[2 * s + 1];
    }
  }

  #readLegs(world: World, e: number): void {
    const { state: st, compiled } = world;
    const { drivers, bookings: m, slot } = this;
    if (this.first.length < drivers * m) this.first = new Float32Array(drivers * m);
    for (let i = 0; i < drivers; i++) {
      const row = (e * world.drivers + this.driver[i]) * world.slots;
      for (let j = 0; j < m; j++) this.first[i * m + j] = st.approach[row + slot[j]];
    }
    if (this.between.length < m * m) this.between = new Float32Array(m * m);
    const { between, pickupZone, dropoffZone } = this;
    if (compiled.matrix !== null) {
      const { seconds: table, periods, zones } = compiled.matrix;
      // Where tables change within the day, these are for telling near from far only.
      const seconds = periods === undefined ? table : periods.seconds[0];
      for (let a = 0; a < m; a++) {
        const row = dropoffZone[a] * zones;
        for (let b = 0; b < m; b++) between[a * m + b] = seconds[row + pickupZone[b]];
      }
      return;
    }
    const { travel } = compiled.scenario;
    const metresPerSecond = travel.kind === 'plane' ? travel.speedKmh / 3.6 : 0;
    const from = e * world.slots;
    for (let a = 0; a < m; a++) {
      const x = st.dropoffX[from + slot[a]];
      const y = st.dropoffY[from + slot[a]];
      for (let b = 0; b < m; b++) {
        const dx = st.pickupX[from + slot[b]] - x;
        const dy = st.pickupY[from + slot[b]] - y;
        between[a * m + b] = Math.sqrt(dx * dx + dy * dy) / metresPerSecond;
      }
    }
  }
}
