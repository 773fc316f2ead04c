// The `pairs` observation: one row of features for each legal action of an environment, waiting first. A policy that scores
// rows needs no fixed number of drivers or slots, and sees what each assignment would bring. It uses only what is known now.

import { EngineError } from './errors.js';
import type { World } from './world.js';

/** Offsets within a row. */
export const PairColumn = {
  wait: 0,
  reward: 1,
  approach: 2,
  approachShare: 3,
  untilPickup: 4,
  lateness: 5,
  slack: 6,
  timeLeft: 7,
  ride: 8,
  priority: 9,
  emergency: 10,
  load: 11,
  plan: 12,
  idle: 13,
  untilFree: 14,
  fare: 15,
  regretOfBooking: 16,
  regretOfDriver: 17,
  leadOverOthers: 18,
  driversForBooking: 19,
  bookingsForDriver: 20,
  open: 21,
  available: 22,
  elapsed: 23,
  traffic: 24,
  pickupX: 25,
  pickupY: 26,
  dropoffX: 27,
  dropoffY: 28,
  driverX: 29,
  driverY: 30,
  age: 31,
} as const;

/** Labels of a row's columns, in their order. Times are in hours, money in the reward's unit. */
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

/** Writes rows of the `pairs` observation for one world, in memory of its own for the work. */
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

  /** @param world whose environments are written; it may go on stepping */
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
          secondOfBooking[k] = bestOfBooking[k];
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
    features[p + PairColumn.wait] = 1;
    features[p + PairColumn.reward] = scenario.waitRewardPerOpen * open * scale;
    features[p + PairColumn.regretOfBooking] = best;
    features[p + PairColumn.open] = openShare;
    features[p + PairColumn.available] = availableShare;
    features[p + PairColumn.elapsed] = elapsed;
    features[p + PairColumn.traffic] = traffic;
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
        features[p + PairColumn.wait] = 0;
        features[p + PairColumn.reward] = reward;
        features[p + PairColumn.approach] = (pickup - depart) * PER_HOUR;
        features[p + PairColumn.approachShare] = world.approachMetres(e, i, j) / compiled.extentX;
        features[p + PairColumn.untilPickup] = (pickup - now) * PER_HOUR;
        features[p + PairColumn.lateness] = late > 0 ? Math.min(late / 900, 4) : 0;
        features[p + PairColumn.slack] = late < 0 ? -late * PER_HOUR : 0;
        features[p + PairColumn.timeLeft] = (st.windowEnd[s] - now) * PER_HOUR;
        features[p + PairColumn.ride] = st.rideSeconds[s] * PER_HOUR;
        features[p + PairColumn.priority] = st.priority[s] / 5;
        features[p + PairColumn.emergency] = compiled.emergency[i];
        features[p + PairColumn.load] = (st.load[d] - meanLoad) / 5;
        features[p + PairColumn.plan] = st.planLength[d] / scenario.queue;
        features[p + PairColumn.idle] = free <= now ? 1 : 0;
        features[p + PairColumn.untilFree] = (depart - now) * PER_HOUR;
        features[p + PairColumn.fare] = st.fare[s] / 1e5;
        features[p + PairColumn.regretOfBooking] = bestOfBooking[k] - reward;
        features[p + PairColumn.regretOfDriver] = bestOfDriver[i] - reward;
        // Without another driver, as if the next best earned nothing.
        features[p + PairColumn.leadOverOthers] = reward - (other === -Infinity ? 0 : other);
        features[p + PairColumn.driversForBooking] = driversFor[k] / drivers;
        features[p + PairColumn.bookingsForDriver] = bookingsFor[i] / slots;
        features[p + PairColumn.open] = openShare;
        features[p + PairColumn.available] = availableShare;
        features[p + PairColumn.elapsed] = elapsed;
        features[p + PairColumn.traffic] = traffic;
        features[p + PairColumn.pickupX] = st.pickupX[s] / compiled.extentX;
        features[p + PairColumn.pickupY] = st.pickupY[s] / compiled.extentY;
        features[p + PairColumn.dropoffX] = st.dropoffX[s] / compiled.extentX;
        features[p + PairColumn.dropoffY] = st.dropoffY[s] / compiled.extentY;
        features[p + PairColumn.driverX] = st.endX[d] / compiled.extentX;
        features[p + PairColumn.driverY] = st.endY[d] / compiled.extentY;
        features[p + PairColumn.age] = (now - st.knownAt[s]) * PER_HOUR;
      }
    }
    return count - at;
  }
}
