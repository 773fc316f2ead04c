// The slots of open bookings: which are taken, who gets one, and when a booking loses it (assigned, expired, refused).
// Knows nothing of drivers or observations; it lists the slots that have changed, for the layer that writes those.

import { expiryReward, refusalReward } from './reward.js';
import { NEVER } from './snapshot.js';
import { WorldBase } from './world-base.js';

/** Marks of changed slots. */
const OPENED = 1;
const CLOSED = 2;

/** The layer of slots: who holds one. */
export abstract class Slots extends WorldBase {
  /** Whether slot j of environment e holds an open booking. */
  isOpen(e: number, j: number): boolean {
    return (this.state.openBits[e * this.words + (j >>> 5)] & (1 << (j & 31))) !== 0;
  }

  /** Writes the open slots of environment e, ascending, and returns how many there are. */
  openSlots(e: number, into: Int32Array): number {
    const bits = this.state.openBits;
    let count = 0;
    for (let k = 0; k < this.words; k++) {
      let word = bits[e * this.words + k];
      while (word !== 0) {
        const lowest = word & -word;
        into[count++] = (k << 5) + 31 - Math.clz32(lowest);
        word ^= lowest;
      }
    }
    return count;
  }

  /** Empties all slots of environment e; nothing is counted or logged. */
  protected clearSlots(e: number): void {
    for (let k = 0; k < this.words; k++) this.state.openBits[e * this.words + k] = 0;
    this.marks.fill(0);
    this.openedCount = this.closedCount = 0;
  }

  /**
   * Counts a booking that becomes known at `second`, and gives it the lowest free slot. The caller writes the booking's
   * numbers.
   * @returns the slot, or -1: all are taken, and the booking is refused
   */
  protected takeSlot(e: number, second: number, priority: number): number {
    const st = this.state;
    const { log } = this;
    const booking = st.created[e]++;
    log?.record(second, 'created', booking, -1);
    if (st.open[e] >= this.slots) {
      st.refused[e]++;
      log?.record(second, 'refused', booking, -1);
      return -1;
    }
    let word = e * this.words;
    while (st.openBits[word] === -1) word++;
    const free = ~st.openBits[word];
    const lowest = free & -free;
    st.openBits[word] |= lowest;
    const j = ((word - e * this.words) << 5) + 31 - Math.clz32(lowest);
    const s = e * this.slots + j;
    const { scenario, windows } = this.compiled;
    st.open[e]++;
    st.booking[s] = booking;
    st.knownAt[s] = second;
    st.priority[s] = priority;
    st.earliestDropoff[s] = 0;
    st.latestDropoff[s] = NEVER;
    if (windows > 0) st.windowCounts[2 * s] = st.windowCounts[2 * s + 1] = 0;
    st.pickupService[s] = scenario.pickupServiceSeconds;
    st.dropoffService[s] = scenario.dropoffServiceSeconds;
    this.markOpened(j);
    return j;
  }

  /** Frees slot j of environment e. The caller counts what has become of its booking. */
  protected closeSlot(e: number, j: number): void {
    this.state.openBits[e * this.words + (j >>> 5)] &= ~(1 << (j & 31));
    if (this.marks[j] !== 0) return;
    this.marks[j] = CLOSED;
    this.closed[this.closedCount++] = j;
  }

  /** Open bookings whose window ends by `until` expire; returns their reward. */
  protected expire(e: number, until: number): number {
    const st = this.state;
    if (this.untilTickEnd || st.open[e] === 0) return 0;
    let reward = 0;
    const open = this.openSlots(e, this.list);
    for (let k = 0; k < open; k++) {
      const j = this.list[k];
      const s = e * this.slots + j;
      if (st.windowEnd[s] > until) continue;
      reward += expiryReward(this.compiled.scenario, st.priority[s]);
      if (this.log !== null) this.logExpired(e, s, until);
      st.expired[e]++;
      st.open[e]--;
      this.closeSlot(e, j);
    }
    return reward;
  }

  /** What was over before the episode began expires when that is noticed; what became known after its window, at once. */
  private logExpired(e: number, s: number, noticedAt: number): void {
    const st = this.state;
    const at = Math.max(st.windowEnd[s], st.knownAt[s]);
    this.log!.record(at > st.now[e] ? at : noticedAt, 'expired', st.booking[s], -1);
  }

  /** The end of a tick: where bookings are open for one tick only, all of them are refused; returns their reward. */
  protected refuseOpen(e: number): number {
    if (!this.untilTickEnd) return 0;
    const st = this.state;
    let reward = 0;
    const open = this.openSlots(e, this.list);
    for (let k = 0; k < open; k++) {
      const j = this.list[k];
      const s = e * this.slots + j;
      reward += refusalReward(this.compiled.scenario, st.priority[s]);
      this.log?.record(st.now[e], 'refused', st.booking[s], -1);
      this.closeSlot(e, j);
    }
    st.refused[e] += open;
    st.open[e] -= open;
    return reward;
  }

  /** Marks every open slot of environment e as opened, so that the next refresh writes all of them. */
  protected markAllOpened(e: number): void {
    const open = this.openSlots(e, this.list);
    for (let k = 0; k < open; k++) this.markOpened(this.list[k]);
  }

  private markOpened(j: number): void {
    if ((this.marks[j] & OPENED) !== 0) return;
    this.marks[j] |= OPENED;
    this.opened[this.openedCount++] = j;
  }
}
