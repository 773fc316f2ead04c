// The `pairs` observation: one row of features for each legal action of an environment, waiting first. A policy that scores
// rows needs no fixed number of drivers or slots, and sees what each assignment would bring. Uses only what is known now.

import { EngineError } from './errors.js';
import type { World } from './world.js';

export const pairColumns = [
  'wait',
  'reward',
  'approach hours',
  'approach / extent',
  'hours until pickup',
  'lateness / 15 min',
  'slack hours',
  'hours left',
  'ride hours',
  'priority / 5',
  'emergency',
  'load - mean / 5',
  'plan / queue',
  'idle',
  'hours until free',
  'fare / 10',
  'best reward of the booking - reward',
  'best reward of the driver - reward',
  'reward - best reward of another driver',
  'drivers for the booking',
  'bookings for the driver',
  'open / slots',
  'available drivers',
  'elapsed',
  'traffic',
  'pickup x',
  'pickup y',
  'drop-off x',
  'drop-off y',
  'driver x',
  'driver y',
  'hours known',
] as const;

/** Numbers in a row. */
export const PAIR_COLUMNS: number = pairColumns.length;

const PER_HOUR: number = 1 / 3600;

export class PairWriter {
  readonly #world: World;
  readonly #slots: Int32Array;
  readonly #rewards: Float64Array;
  readonly #bestOfDriver: Float64Array;
  readonly #bestOfBooking: Float64Array;
  readonly #secondOfBooking: Float64Array;
  readonly #driversFor: Int32Array;
  readonly #bookingsFor: Int32Array;
  readonly #rewardScale: number;

  constructor(world: World) {
    const { drivers, slots } = world;
    this.#world = world;
    this.#slots = new Int32Array(slots);
    this.#rewards = new Float64Array(drivers * slots);
    this.#bestOfDriver = new Float64Array(drivers);
    this.#bestOfBooking = new Float64Array(slots);
    this.#secondOfBooking = new Float64Array(slots);
    this.#driversFor = new Int32Array(slots);
    this.#bookingsFor = new Int32Array(drivers);
    // Brings both kinds of reward to the order of 1.
    this.#rewardScale = world.compiled.scenario.reward.kind === 'weighted' ? 0.01 : 1;
  }

  /**
   * Writes the legal actions of environment e, ascending, and a row of features for each.
   * @param actions  output, from index `at` on
   * @param features output, from row `at` on; `[rows, PAIR_COLUMNS]`
   * @returns how many; at least 1, as waiting is always legal
   * @throws EngineError `ERR_BUFFER` if the outputs have too little room: nothing has been written then
   */
  write(e: number, actions: Int32Array, features: Float32Array, at: number): number {
    const world = this.#world;
    const { state: st, compiled, drivers, slots } = world;
    const { scenario } = compiled;
    const { actionMasks: masks } = world.out;
    const open = world.openSlots(e, this.#slots);
    const scale = this.#rewardScale;
    const driversFor = this.#driversFor;
    const bookingsFor = this.#bookingsFor;
    const bestOfBooking = this.#bestOfBooking;
    const secondOfBooking = this.#secondOfBooking;
    const bestOfDriver = this.#bestOfDriver;
    const now = st.now[e];
    let best = 0;
    let available = 0;
    let legal = 1;
    for (let k = 0; k < open; k++) {
      driversFor[k] = 0;
      bestOfBooking[k] = secondOfBooking[k] = -Infinity;
    }
    for (let i = 0; i < drivers; i++) {
      bookingsFor[i] = 0;
      bestOfDriver[i] = -Infinity;
      if (!world.isAvailable(e, i)) continue;
      available++;
      const row = e * world.actions + 1 + i * slots;
      for (let k = 0; k < open; k++) {
        const j = this.#slots[k];
        if (masks[row + j] === 0) continue;
        const reward = world.assignmentReward(e, i, j) * scale;
        this.#rewards[i * slots + k] = reward;
        legal++;
        driversFor[k]++;
        bookingsFor[i]++;
        if (reward > bestOfBooking[k]) {
          secondOfBooking[k] = bestOfBooking[k]!;
          bestOfBooking[k] = reward;
        } else if (reward > secondOfBooking[k]) {
          secondOfBooking[k] = reward;
        }
        if (reward > bestOfDriver[i]) bestOfDriver[i] = reward;
        if (reward > best) best = reward;
      }
    }

    if (actions.length < at + legal || features.length < (at + legal) * PAIR_COLUMNS) {
      const [rows, held] = [at + legal, Math.floor(features.length / PAIR_COLUMNS)];
      throw new EngineError(
        'ERR_BUFFER',
        `outputs hold ${actions.length} actions and ${held} rows, ${rows} are needed: make room for ${world.actions} an environment`,
      );
    }

    const openShare = open / slots;
    const availableShare = available / drivers;
    const elapsed = st.tick[e] / compiled.ticks;
    const traffic = compiled.trafficByTick[st.tick[e]];
    const meanLoad = st.loadSum[e] / drivers;
    let count = at;
    let p = count * PAIR_COLUMNS;
    actions[count++] = 0;
    for (let k = 0; k < PAIR_COLUMNS; k++) features[p + k] = 0;
    features[p] = 1;
    features[p + 1] = scenario.waitRewardPerOpen * open * scale;
    features[p + 16] = best;
    features[p + 21] = openShare;
    features[p + 22] = availableShare;
    features[p + 23] = elapsed;
    features[p + 24] = traffic;
    for (let i = 0; i < drivers; i++) {
      if (bookingsFor[i] === 0) continue;
      const d = e * drivers + i;
      const row = e * world.actions + 1 + i * slots;
      const free = st.freeAt[d];
      const depart = free > now ? free : now;
      for (let k = 0; k < open; k++) {
        const j = this.#slots[k];
        if (masks[row + j] === 0) continue;
        const s = e * slots + j;
        const pickup = world.pickupSecond(e, i, j);
        const late = pickup - st.windowEnd[s];
        const reward = this.#rewards[i * slots + k];
        const other = reward === bestOfBooking[k] ? secondOfBooking[k] : bestOfBooking[k];
        p = count * PAIR_COLUMNS;
        actions[count++] = 1 + i * slots + j;
        features[p] = 0;
        features[p + 1] = reward;
        features[p + 2] = (pickup - depart) * PER_HOUR;
        features[p + 3] = world.approachMetres(e, i, j) / compiled.extentX;
        features[p + 4] = (pickup - now) * PER_HOUR;
        features[p + 5] = late > 0 ? Math.min(late / 900, 4) : 0;
        features[p + 6] = late < 0 ? -late * PER_HOUR : 0;
        features[p + 7] = (st.windowEnd[s] - now) * PER_HOUR;
        features[p + 8] = st.rideSeconds[s] * PER_HOUR;
        features[p + 9] = st.priority[s] / 5;
        features[p + 10] = compiled.emergency[i]!;
        features[p + 11] = (st.load[d] - meanLoad) / 5;
        features[p + 12] = st.planLength[d] / scenario.queue;
        features[p + 13] = free <= now ? 1 : 0;
        features[p + 14] = (depart - now) * PER_HOUR;
        features[p + 15] = st.fare[s] / 1e5;
        features[p + 16] = bestOfBooking[k] - reward;
        features[p + 17] = bestOfDriver[i] - reward;
        // Without another driver, as if the next best earned nothing.
        features[p + 18] = reward - (other === -Infinity ? 0 : other);
        features[p + 19] = driversFor[k] / drivers;
        features[p + 20] = bookingsFor[i] / slots;
        features[p + 21] = openShare;
        features[p + 22] = availableShare;
        features[p + 23] = elapsed;
        features[p + 24] = traffic;
        features[p + 25] = st.pickupX[s] / compiled.extentX;
        features[p + 26] = st.pickupY[s] / compiled.extentY;
        features[p + 27] = st.dropoffX[s] / compiled.extentX;
        features[p + 28] = st.dropoffY[s] / compiled.extentY;
        features[p + 29] = st.endX[d] / compiled.extentX;
        features[p + 30] = st.endY[d] / compiled.extentY;
        features[p + 31] = (now - st.knownAt[s]) * PER_HOUR;
      }
    }
    return count - at;
  }
}
