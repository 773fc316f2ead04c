// What drivers are going to do: each has a plan, a queue of bookings driven one after the other. Where and when it ends, when
// another booking would be picked up and dropped off, whether that is allowed, and how plans are carried out. Another kind of
// plan, such as shared rides, would replace this file. Knows nothing of rewards or observations.

import { countAssignment } from './episode.js';
import { NEVER } from './snapshot.js';
import type { PlannedBooking } from './snapshot.js';
import { Slots } from './slots.js';
import { secondsTable } from './travel.js';
import { secondsAfter, windowAt } from './windows.js';

/** The layer of plans: what each driver is going to do. */
export abstract class Plans extends Slots {
  // ---------------------------------------------------------------- what is allowed

  /** Whether driver i of environment e can take another booking now. */
  isAvailable(e: number, i: number): boolean {
    const d = e * this.drivers + i;
    return this.state.planLength[d] < this.queue && this.state.takenThisTick[d] < this.takeLimit;
  }

  /** The predicate behind mask and step: whether assigning slot j to driver i would be accepted. */
  accepts(e: number, i: number, j: number): boolean {
    return (
      this.isOpen(e, j) &&
      this.isAvailable(e, i) &&
      this.hasSkills(e, i, j) &&
      this.isInTime(e, i, j) &&
      (this.state.dropoffsBound[e] === 0 || (this.isDroppedInTime(e, i, j) && this.isWithinShift(e, i, j)))
    );
  }

  /** Whether driver i has the skills that slot j needs. */
  hasSkills(e: number, i: number, j: number): boolean {
    return (this.state.skills[e * this.slots + j] & ~this.compiled.driverSkills[i]) === 0;
  }

  /** Whether driver i would be at slot j's pickup within its window and the tolerance. */
  isInTime(e: number, i: number, j: number): boolean {
    const s = e * this.slots + j;
    const pickupAt = this.pickupSecond(e, i, j);
    if (this.windows === 0 || this.state.windowCounts[2 * s] === 0) return pickupAt <= this.state.latestPickup[s];
    return this.lateBy(s, pickupAt) <= this.tolerance;
  }

  /** Whether driver i would drop slot j off by its latest drop-off. */
  isDroppedInTime(e: number, i: number, j: number): boolean {
    return (
      this.state.dropoffsBound[e] === 0 || this.dropoffSecond(e, i, j) <= this.state.latestDropoff[e * this.slots + j]
    );
  }

  /** Whether driver i would be done with slot j by the end of the shift. */
  isWithinShift(e: number, i: number, j: number): boolean {
    return (
      this.state.dropoffsBound[e] === 0 || this.dropoffSecond(e, i, j) <= this.state.shiftEnd[e * this.drivers + i]
    );
  }

  // ---------------------------------------------------------------- when and where

  /** As `World.pickupSecond`. */
  pickupSecond(e: number, i: number, j: number): number {
    return this.plannedPickup(e, i, j, false);
  }

  /** Second at which driver i would be done with the booking in slot j: at the drop-off, service included. */
  dropoffSecond(e: number, i: number, j: number): number {
    return this.dropoffAfter(e, i, j, this.pickupSecond(e, i, j));
  }

  /** Seconds after its window at which a pickup at `at` of the booking at index s is; not above 0 if it is in time. */
  protected lateBy(s: number, at: number): number {
    const { windowEnd, windowCounts, windows } = this.state;
    if (this.windows === 0 || windowCounts[2 * s] === 0) return at - windowEnd[s];
    return secondsAfter(windows, s * this.stride, windowCounts[2 * s], at);
  }

  /** Seconds under traffic from the end of driver i's plan to the pickup in slot j. */
  approachSeconds(e: number, i: number, j: number): number {
    const d = e * this.drivers + i;
    const depart = Math.max(this.state.now[e], this.state.freeAt[d]);
    return this.arrival(depart, this.state.approach[d * this.slots + j], this.factorAt(depart), 0) - depart;
  }

  /** Empty metres from the end of driver i's plan to the pickup in slot j. */
  approachMetres(e: number, i: number, j: number): number {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const { matrix } = this.compiled;
    if (matrix !== null) return matrix.metres[st.endZone[d] * matrix.zones + st.pickupZone[s]];
    const dx = st.pickupX[s] - st.endX[d];
    const dy = st.pickupY[s] - st.endY[d];
    return Math.sqrt(dx * dx + dy * dy);
  }

  /**
   * As `pickupSecond`. Tolerance counts after a window, and a window that begins beyond the environment's patience is not
   * waited for; but a promise stands, so it takes any window rather than none.
   */
  private plannedPickup(e: number, i: number, j: number, promised: boolean): number {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const depart = Math.max(st.now[e], st.freeAt[d]);
    const factor = this.factorAt(depart);
    const at = this.arrival(depart, st.approach[d * this.slots + j], factor, st.windowStart[s]);
    if (this.windows === 0) return at;
    const count = st.windowCounts[2 * s];
    const p = s * this.stride;
    const k = windowAt(st.windows, p, count, at);
    if (k === count || st.windows[p + 2 * k] <= at) return at;
    // Between two windows.
    const next = st.windows[p + 2 * k];
    const tolerated = at - st.windows[p + 2 * k - 1] <= this.tolerance;
    const planned = next - st.now[e] <= st.patience[e] || (promised && !tolerated);
    if (planned) {
      const done = this.dropoffAfter(e, i, j, next);
      if (done <= st.latestDropoff[s] && done <= st.shiftEnd[d]) return next;
    }
    return planned && !tolerated ? next : at;
  }

  /** Second at which driver i would be done with slot j after a pickup at `pickupAt`. */
  private dropoffAfter(e: number, i: number, j: number, pickupAt: number): number {
    const st = this.state;
    const s = e * this.slots + j;
    const leave = this.leaveAfter(e * this.drivers + i, j, pickupAt + st.pickupService[s]);
    let at = this.arrival(leave, this.rideSeconds(s, leave), this.factorAt(leave), st.earliestDropoff[s]);
    if (this.windows > 0) {
      const count = st.windowCounts[2 * s + 1];
      const p = s * this.stride + 2 * this.windows;
      const k = windowAt(st.windows, p, count, at);
      if (k < count) at = Math.max(at, st.windows[p + 2 * k]);
    }
    return at + st.dropoffService[s];
  }

  /** Second at which the driver at index d leaves the pickup of slot j, whose service is done at `served`. */
  private leaveAfter(d: number, j: number, served: number): number {
    // Only a vehicle that stands idle where the booking waits loses the boarding time.
    const idle = this.state.planLength[d] === 0 && this.state.approach[d * this.slots + j] === 0;
    return idle ? served + this.compiled.scenario.idleBoardingSeconds : served;
  }

  /** Free-flow seconds of the ride of the booking at index s, if it starts at `leave`. */
  private rideSeconds(s: number, leave: number): number {
    const { matrix } = this.compiled;
    if (matrix?.periods === undefined) return this.state.rideSeconds[s];
    const leg = this.state.pickupZone[s] * matrix.zones + this.state.dropoffZone[s];
    return secondsTable(matrix, this.minuteAt(leave))[leg];
  }

  // ---------------------------------------------------------------- setting up

  /** Driver i starts with an empty plan, free since `freeAt` at a place, no bookings taken, and no end of shift. */
  protected startPlan(e: number, i: number, x: number, y: number, zone: number, freeAt: number): void {
    const st = this.state;
    const d = e * this.drivers + i;
    st.freeAt[d] = freeAt;
    st.endX[d] = x;
    st.endY[d] = y;
    st.endZone[d] = zone;
    st.planHead[d] = st.planLength[d] = st.onBoard[d] = st.load[d] = st.takenThisTick[d] = 0;
    st.nextEventAt[d] = st.shiftEnd[d] = NEVER;
    st.stale[d] = 1;
  }

  /** Gives driver i, whose plan is empty, a plan from outside; `endX`, `endY`, `endZone` and `freeAt` are its end already. */
  protected adoptPlan(e: number, i: number, plan: readonly PlannedBooking[], onBoard: boolean): void {
    const st = this.state;
    const d = e * this.drivers + i;
    for (const [k, { pickupAt, dropoffAt }] of plan.entries()) {
      st.planPickupAt[d * this.queue + k] = pickupAt;
      st.planDropoffAt[d * this.queue + k] = dropoffAt;
      st.planBooking[d * this.queue + k] = st.created[e]++;
      st.assigned[e]++;
    }
    st.planLength[d] = plan.length;
    if (plan.length === 0) return;
    st.onBoard[d] = onBoard ? 1 : 0;
    st.assigned[e] -= st.onBoard[d];
    st.pickedUp[e] += st.onBoard[d];
    st.nextEventAt[d] = onBoard ? plan[0].dropoffAt : plan[0].pickupAt;
  }

  /** Takes driver i off duty: its plan is full, and nothing happens in it any more. */
  protected blockPlan(e: number, i: number): void {
    const st = this.state;
    const d = e * this.drivers + i;
    st.planDropoffAt[d * this.queue] = st.now[e];
    st.planLength[d] = this.queue;
    st.nextEventAt[d] = NEVER;
  }

  /** What follows for the drivers once the numbers of a booking have been written to slot j. */
  protected slotOpened(e: number, j: number): void {
    const st = this.state;
    const s = e * this.slots + j;
    const latest = st.windowEnd[s] + this.tolerance;
    st.latestPickup[s] = latest < NEVER ? latest : NEVER;
    if (this.compiled.matrix === null) this.cacheApproaches(e, j);
    else for (let i = 0; i < this.drivers; i++) this.cacheApproach(e, i, j);
  }

  /** As `cacheApproach` for all drivers, in a plane. */
  private cacheApproaches(e: number, j: number): void {
    const { endX, endY, approach, pickupX, pickupY } = this.state;
    const { drivers, slots, metresPerSecond } = this;
    const x = pickupX[e * slots + j];
    const y = pickupY[e * slots + j];
    for (let i = 0, d = e * drivers, p = d * slots + j; i < drivers; i++, d++, p += slots) {
      const dx = x - endX[d];
      const dy = y - endY[d];
      approach[p] = Math.sqrt(dx * dx + dy * dy) / metresPerSecond;
    }
  }

  // ---------------------------------------------------------------- changes

  /**
   * Appends slot j's booking to driver i's plan and frees the slot. The caller has asked `accepts`.
   * @param promised given before now: it takes any of its windows rather than none
   */
  protected assign(e: number, i: number, j: number, promised: boolean): void {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const now = st.now[e];
    const pickupAt = this.plannedPickup(e, i, j, promised);
    const metres = this.approachMetres(e, i, j);
    const depart = Math.max(now, st.freeAt[d]);
    const dropoffAt = this.dropoffAfter(e, i, j, pickupAt);
    if (this.log !== null) this.logAssignment(e, i, j, pickupAt, dropoffAt);

    const entry = d * this.queue + ((st.planHead[d] + st.planLength[d]) % this.queue);
    st.planPickupAt[entry] = pickupAt;
    st.planDropoffAt[entry] = dropoffAt;
    st.planBooking[entry] = st.booking[s];
    if (st.planLength[d]++ === 0) st.nextEventAt[d] = pickupAt;
    st.freeAt[d] = dropoffAt;
    st.endX[d] = st.dropoffX[s];
    st.endY[d] = st.dropoffY[s];
    st.endZone[d] = st.dropoffZone[s];
    st.loadSum[e]++;
    st.loadSquares[e] += 2 * st.load[d] + 1;
    st.load[d]++;
    st.takenThisTick[d]++;
    st.stale[d] = 1;
    st.open[e]--;
    st.assigned[e]++;

    const horizon = this.compiled.scenario.horizonSeconds;
    const busy = Math.min(dropoffAt, horizon) - Math.min(depart, horizon);
    countAssignment(st, e, this.lateBy(s, pickupAt), pickupAt - st.knownAt[s], metres, st.rideMetres[s], busy);
    this.closeSlot(e, j);
    if (pickupAt <= now) this.serve(e, i, now);
    const open = this.openSlots(e, this.list);
    for (let k = 0; k < open; k++) this.cacheApproach(e, i, this.list[k]);
  }

  /** Writes an assignment with its legs into the log, before anything has changed. */
  private logAssignment(e: number, i: number, j: number, pickupAt: number, dropoffAt: number): void {
    const st = this.state;
    const d = e * this.drivers + i;
    const s = e * this.slots + j;
    const departAt = Math.max(st.now[e], st.freeAt[d]);
    const zone = this.compiled.matrix === null ? -1 : st.endZone[d];
    this.log!.assign({
      second: st.now[e],
      booking: st.booking[s],
      driver: i,
      from: { x: st.endX[d], y: st.endY[d], zone },
      departAt,
      arriveAt: departAt + this.approachSeconds(e, i, j),
      pickupAt,
      leaveAt: this.leaveAfter(d, j, pickupAt + st.pickupService[s]),
      reachAt: dropoffAt - st.dropoffService[s],
      dropoffAt,
      approachMetres: this.approachMetres(e, i, j),
      reward: 0,
    });
  }

  /** The end of a tick: pickups and drop-offs up to `now` happen, and drivers may take bookings again. */
  protected serveAll(e: number, now: number): void {
    const st = this.state;
    for (let i = 0; i < this.drivers; i++) {
      const d = e * this.drivers + i;
      if (st.nextEventAt[d] <= now) this.serve(e, i, now);
      if (st.takenThisTick[d] !== 0) {
        st.takenThisTick[d] = 0;
        st.stale[d] = 1;
      }
    }
  }

  /** Once the clock has moved on from `before`: approaches whose departure now falls in another period of the tables. */
  protected renewApproaches(e: number, before: number): void {
    const ofMinute = this.compiled.matrix?.periods?.ofMinute;
    if (ofMinute === undefined) return;
    const st = this.state;
    const now = st.now[e];
    const open = this.openSlots(e, this.list);
    for (let i = 0; i < this.drivers; i++) {
      const d = e * this.drivers + i;
      const free = st.freeAt[d];
      const period = ofMinute[this.minuteAt(Math.max(now, free))];
      if (period === ofMinute[this.minuteAt(Math.max(before, free))]) continue;
      st.stale[d] = 1;
      for (let k = 0; k < open; k++) this.cacheApproach(e, i, this.list[k]);
    }
  }

  /** Pickups and drop-offs of driver i up to `until`. */
  private serve(e: number, i: number, until: number): void {
    const st = this.state;
    const { log } = this;
    const d = e * this.drivers + i;
    st.stale[d] = 1;
    while (st.nextEventAt[d] <= until) {
      const entry = d * this.queue + st.planHead[d];
      if (st.onBoard[d] === 0) {
        log?.record(st.planPickupAt[entry], 'pickedUp', st.planBooking[entry], i);
        st.assigned[e]--;
        st.pickedUp[e]++;
        st.onBoard[d] = 1;
        st.nextEventAt[d] = st.planDropoffAt[entry];
      } else {
        log?.record(st.planDropoffAt[entry], 'completed', st.planBooking[entry], i);
        st.pickedUp[e]--;
        st.completed[e]++;
        st.onBoard[d] = 0;
        st.planHead[d] = (st.planHead[d] + 1) % this.queue;
        st.nextEventAt[d] = --st.planLength[d] === 0 ? NEVER : st.planPickupAt[d * this.queue + st.planHead[d]];
      }
    }
  }

  /** Free-flow seconds from the end of driver i's plan to slot j, kept so that masks need no travel times. */
  private cacheApproach(e: number, i: number, j: number): void {
    const st = this.state;
    const d = e * this.drivers + i;
    const { matrix } = this.compiled;
    if (matrix === null) {
      st.approach[d * this.slots + j] = this.approachMetres(e, i, j) / this.metresPerSecond;
      return;
    }
    // Of the period of the departure: when that changes, `renewApproaches` writes the approach again.
    const table =
      matrix.periods === undefined
        ? matrix.seconds
        : secondsTable(matrix, this.minuteAt(Math.max(st.now[e], st.freeAt[d])));
    st.approach[d * this.slots + j] = table[st.endZone[d] * matrix.zones + st.pickupZone[e * this.slots + j]];
  }
}
