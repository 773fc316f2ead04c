// What a policy must not pay for its return with: figures of an episode that a mean return hides. They are counted from outside, as
// assignments are made.

import type { World } from '../engine/index.js';

/** Names of the figures, in the order of a row. */
export const guardNames = ['topLateMinutes', 'waitP90Minutes', 'expiredShare', 'emptyKm', 'worstLoad'] as const;

/** Name of a figure. */
export type GuardName = (typeof guardNames)[number];
/** The figures of an episode; the less, the better. */
export type Guards = Readonly<Record<GuardName, number>>;

/** What each figure means. */
export const guardMeaning: Readonly<Record<GuardName, string>> = {
  topLateMinutes: 'minutes after the window, mean over accepted bookings of priority 4 and 5',
  waitP90Minutes: '90th percentile of the minutes from known to pickup, over accepted bookings',
  expiredShare: 'expired and refused / created',
  emptyKm: 'empty kilometres to a pickup, mean over accepted bookings',
  worstLoad: 'bookings of the driver who has the most',
};

/** From this priority on a booking counts as urgent. */
const TOP = 4;

/** Counts the figures of the environments of one world, each over one episode. */
export class GuardCounter {
  readonly #world: World;
  readonly #waits: number[][];
  readonly #metres: Float64Array;
  readonly #topLate: Float64Array;
  readonly #top: Int32Array;

  constructor(world: World, count: number) {
    this.#world = world;
    this.#waits = Array.from({ length: count }, () => []);
    this.#metres = new Float64Array(count);
    this.#topLate = new Float64Array(count);
    this.#top = new Int32Array(count);
  }

  /** Before a step with these actions. */
  count(actions: Int32Array): void {
    const world = this.#world;
    const { state: st } = world;
    for (let e = 0; e < this.#waits.length; e++) {
      const action = actions[e];
      if (st.ended[e] === 1 || action === 0 || world.out.actionMasks[e * world.actions + action] === 0) continue;
      const i = Math.floor((action - 1) / world.slots);
      this.#countPair(e, i, action - 1 - i * world.slots);
    }
  }

  /** Before a joint step with these slots of all drivers, `[environments, N]`. */
  countJoint(slotOf: Int32Array): void {
    const { state: st, drivers, slots, actions, out } = this.#world;
    for (let e = 0; e < this.#waits.length; e++) {
      if (st.ended[e] === 1) continue;
      for (let i = 0; i < drivers; i++) {
        const j = slotOf[e * drivers + i];
        if (j >= 0 && out.actionMasks[e * actions + 1 + i * slots + j] === 1) this.#countPair(e, i, j);
      }
    }
  }

  #countPair(e: number, i: number, j: number): void {
    const world = this.#world;
    const { state: st } = world;
    const s = e * world.slots + j;
    const pickup = world.pickupSecond(e, i, j);
    this.#waits[e].push((pickup - st.knownAt[s]) / 60);
    this.#metres[e] += world.approachMetres(e, i, j);
    if (st.priority[s] < TOP) return;
    this.#top[e]++;
    this.#topLate[e] += world.latenessAt(e, j, pickup) / 60;
  }

  /** Once the episodes have ended: `[count, guardNames.length]`. Where there is nothing to take a mean of, it is 0. */
  rows(): Float64Array {
    const { state: st, drivers } = this.#world;
    const rows = this.#waits.flatMap((waits, e) => {
      const sorted = Float64Array.from(waits).sort();
      const accepted = sorted.length;
      const created = st.created[e];
      const lost = st.expired[e] + st.refused[e];
      return [
        this.#top[e] === 0 ? 0 : this.#topLate[e] / this.#top[e],
        accepted === 0 ? 0 : sorted[Math.ceil(0.9 * accepted) - 1],
        created === 0 ? 0 : lost / created,
        accepted === 0 ? 0 : this.#metres[e] / 1000 / accepted,
        Math.max(...st.load.subarray(e * drivers, (e + 1) * drivers)),
      ];
    });
    return Float64Array.from(rows);
  }
}

/** Row `row` of a `[rows, guardNames.length]` table, by name. */
export function guardsOf(table: Float64Array, row: number): Guards {
  return Object.fromEntries(
    guardNames.map((name, k) => [name, table[row * guardNames.length + k]]),
  ) as unknown as Guards;
}
