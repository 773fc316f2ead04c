// Puts a live state from outside into an environment: drivers with their plans and promises, and open bookings. The caller has
// checked it (check-snapshot.ts).

import { Observer } from './observe.js';
import { NEVER } from './snapshot.js';
import type { Snapshot, SnapshotBooking, SnapshotDriver } from './snapshot.js';
import { secondsTable } from './travel.js';
import { writeWindows } from './windows.js';

/** The layer that takes live states. */
export abstract class SnapshotLoader extends Observer {
  /** Writes clock, drivers and bookings of `snapshot` into environment e, whose counts and slots are clear. */
  protected loadSnapshot(e: number, { now, drivers, bookings, patience }: Snapshot): void {
    const st = this.state;
    st.now[e] = now;
    st.tick[e] = Math.floor(now / this.compiled.scenario.tickSeconds);
    st.ended[e] = 0;
    const bound =
      drivers.some(({ shiftEnd }) => shiftEnd !== undefined) ||
      bookings.some(({ latestDropoff }) => latestDropoff !== undefined);
    st.dropoffsBound[e] = bound ? 1 : 0;
    if (this.windows > 0) st.patience[e] = patience ?? NEVER;
    for (let i = 0; i < this.drivers; i++) this.loadDriver(e, i, drivers[i]);
    for (const booking of bookings) this.loadBooking(e, booking);
  }

  /** A driver that the snapshot does not have is off duty. */
  private loadDriver(e: number, i: number, driver: SnapshotDriver | undefined): void {
    if (driver === undefined) {
      this.startPlan(e, i, 0, 0, 0, 0);
      this.blockPlan(e, i);
      return;
    }
    const st = this.state;
    const d = e * this.drivers + i;
    const { plan, onBoard, load, promised = [] } = driver;
    this.startPlan(e, i, driver.x, driver.y, driver.zone, driver.freeAt);
    st.shiftEnd[d] = driver.shiftEnd ?? NEVER;
    this.adoptPlan(e, i, plan, onBoard);
    st.load[d] = load;
    st.loadSum[e] += load;
    st.loadSquares[e] += load * load;
    for (const booking of promised) {
      this.assign(e, i, this.loadBooking(e, booking), true);
      st.takenThisTick[d] = 0;
    }
    if (driver.offDuty) this.blockPlan(e, i);
  }

  /** @returns the slot */
  private loadBooking(e: number, booking: SnapshotBooking): number {
    const st = this.state;
    const j = this.takeSlot(e, booking.knownAt, booking.priority);
    const s = e * this.slots + j;
    const { matrix } = this.compiled;
    st.pickupX[s] = booking.pickupX;
    st.pickupY[s] = booking.pickupY;
    st.pickupZone[s] = booking.pickupZone;
    st.dropoffX[s] = booking.dropoffX;
    st.dropoffY[s] = booking.dropoffY;
    st.dropoffZone[s] = booking.dropoffZone;
    st.windowStart[s] = booking.windowStart;
    st.windowEnd[s] = booking.windowEnd;
    st.skills[s] = booking.skills;
    st.leg[s] = booking.leg;
    st.fare[s] = booking.fare;
    st.pickupService[s] = booking.pickupService;
    st.dropoffService[s] = booking.dropoffService;
    st.earliestDropoff[s] = booking.earliestDropoff ?? 0;
    st.latestDropoff[s] = booking.latestDropoff ?? NEVER;
    if (this.windows > 0) {
      const p = s * this.stride;
      st.windowCounts[2 * s] = writeWindows(booking.windows, st.windows, p);
      st.windowCounts[2 * s + 1] = writeWindows(booking.dropoffWindows, st.windows, p + 2 * this.windows);
    }
    if (matrix === null) {
      st.rideMetres[s] = Math.hypot(st.dropoffX[s] - st.pickupX[s], st.dropoffY[s] - st.pickupY[s]);
      st.rideSeconds[s] = st.rideMetres[s] / this.metresPerSecond;
    } else {
      const leg = booking.pickupZone * matrix.zones + booking.dropoffZone;
      st.rideMetres[s] = matrix.metres[leg];
      st.rideSeconds[s] = secondsTable(matrix, this.minuteAt(Math.max(st.now[e], booking.windowStart)))[leg];
    }
    this.slotOpened(e, j);
    return j;
  }
}
