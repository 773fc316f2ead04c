// A row of numbers for each assignment that may be worth making, as a scorer reads it: what it earns, where and when the driver ends
// after it, and where and when it ends without it. What a vehicle is worth in a place depends above all on who else is there or on
// the way there, and on the demand that is expected there. Nothing but what is known now.

import { PAIR_COLUMNS, PairWriter, exp } from '../engine/index.js';
import type { CompiledScenario, World } from '../engine/index.js';
import { demandTable, zoneAt } from './demand-table.js';
import type { DemandTable } from './demand-table.js';

/** Numbers of a place and time at which a driver's plan ends, the driver itself not counted. A zone's share of the row follows. */
const Node = {
  /** Share of the episode that is left. */
  timeLeft: 0,
  /** Ticks until then / 10. */
  untilFree: 1,
  /** Others whose plans end there by then, / 5. */
  before: 2,
  /** Others whose plans end there, / 5. */
  all: 3,
  /** Others that are idle there, / 5. */
  idle: 4,
  /** Others there that may take another booking, / 5. */
  room: 5,
  /** Bookings expected there in the twelve ticks after, / 5. */
  demand: 6,
  /** The same until the episode ends, / 20. */
  rest: 7,
  /** What a booking there pays, / 5. */
  worth: 8,
  /** (before + 1) and (all + 1) for each booking expected in twelve ticks. */
  beforeRatio: 9,
  allRatio: 10,
  /** exp(-(before + 1) / rest) and exp(-(all + 1) / rest): near 1 where there is enough for all. */
  beforeSurvival: 11,
  allSurvival: 12,
  /** The first of these times what a booking pays and the time that is left. */
  survivingWorth: 13,
  /** 1 if the plan has no room for another booking. */
  full: 14,
} as const;

const NODE_COLUMNS: number = Object.keys(Node).length;

/** Columns before those of the two nodes: where fares are paid the reward, else those of `pairs`. */
function ownColumns({ scenario }: CompiledScenario): number {
  return scenario.reward.kind === 'fare' ? 1 : PAIR_COLUMNS;
}

/** Ticks of demand that count as near. */
const NEAR_TICKS = 12;

/** Numbers in a row, for a scenario. */
export function fleetColumns(compiled: CompiledScenario): number {
  return ownColumns(compiled) + 2 * (NODE_COLUMNS + demandTable(compiled).zones);
}

/** Writes rows for one world, in memory of its own for the work. */
export class FleetRows {
  /** Numbers in a row. */
  readonly columns: number;
  /** Driver of each row last written, `[rows]`. */
  readonly drivers: Int32Array;
  /** Slot of each row last written, `[rows]`. */
  readonly slots: Int32Array;
  /** What each assignment earns at once, `[rows]`. */
  readonly rewards: Float64Array;
  readonly #world: World;
  readonly #table: DemandTable;
  readonly #own: number;
  /** Where rewards are weighted sums, with room for the rows of one environment. */
  readonly #pairs: { readonly writer: PairWriter; readonly actions: Int32Array; readonly rows: Float32Array } | null;
  readonly #open: Int32Array;
  /** Of each driver: zone, and second at which its plan ends. */
  readonly #zone: Int32Array;
  readonly #free: Float64Array;
  /** Drivers by zone: the first of each zone, and the next of each driver; -1 ends a list. */
  readonly #first: Int32Array;
  readonly #next: Int32Array;
  /** By zone: drivers that end there, those that are idle, and those that may take another booking. */
  readonly #all: Int32Array;
  readonly #idle: Int32Array;
  readonly #room: Int32Array;
  /** Columns of a driver that stays as it is. */
  readonly #staying: Float32Array;
  #e = 0;
  #today = 1;

  /** @param world whose environments are written; it may go on stepping */
  constructor(world: World) {
    const { drivers, slots, compiled } = world;
    this.#world = world;
    this.#table = demandTable(compiled);
    this.#own = ownColumns(compiled);
    this.columns = fleetColumns(compiled);
    this.drivers = new Int32Array(drivers * slots);
    this.slots = new Int32Array(drivers * slots);
    this.rewards = new Float64Array(drivers * slots);
    this.#pairs =
      compiled.scenario.reward.kind === 'fare'
        ? null
        : {
            writer: new PairWriter(world),
            actions: new Int32Array(world.actions),
            rows: new Float32Array(world.actions * PAIR_COLUMNS),
          };
    this.#open = new Int32Array(slots);
    this.#zone = new Int32Array(drivers);
    this.#free = new Float64Array(drivers);
    this.#first = new Int32Array(this.#table.zones);
    this.#next = new Int32Array(drivers);
    this.#all = new Int32Array(this.#table.zones);
    this.#idle = new Int32Array(this.#table.zones);
    this.#room = new Int32Array(this.#table.zones);
    this.#staying = new Float32Array(NODE_COLUMNS);
  }

  /**
   * Writes a row for each legal assignment of environment e, drivers ascending, then slots. Where fares are paid, those that
   * cost as much as they earn are left out: to be elsewhere has not been worth a loss in any policy that was learned.
   * @param features output, `[rows, columns]` from its beginning on; room for N * M rows is always enough
   * @returns how many
   */
  write(e: number, features: Float32Array): number {
    const world = this.#world;
    const { state: st, drivers, slots, compiled } = world;
    const { actionMasks: masks } = world.out;
    const { columns } = this;
    const own = this.#own;
    const half = NODE_COLUMNS + this.#table.zones;
    const open = world.openSlots(e, this.#open);
    if (open === 0) return 0;
    const pairs = this.#pairs;
    pairs?.writer.write(e, pairs.actions, pairs.rows, 0);
    const now = st.now[e];
    this.#listFleet(e);
    const staying = this.#staying;
    let count = 0;
    for (let i = 0; i < drivers; i++) {
      if (!world.isAvailable(e, i)) continue;
      const d = e * drivers + i;
      const row = e * world.actions + 1 + i * slots;
      const length = st.planLength[d];
      let isWritten = false;
      for (let k = 0; k < open; k++) {
        const j = this.#open[k];
        if (masks[row + j] === 0) continue;
        const reward = world.assignmentReward(e, i, j);
        if (pairs === null && reward <= 0) continue;
        if (!isWritten) {
          isWritten = true;
          this.#writeNode(this.#zone[i], this.#free[i], length, i, staying, 0);
        }
        const s = e * slots + j;
        const first = count * columns;
        // Zones' shares but the two that are written are 0.
        for (let p = first + own + NODE_COLUMNS; p < first + own + half; p++) features[p] = 0;
        for (let p = first + own + half + NODE_COLUMNS; p < first + columns; p++) features[p] = 0;
        if (pairs === null) {
          features[first] = reward;
        } else {
          // Row 0 is that of waiting.
          const from = (count + 1) * PAIR_COLUMNS;
          for (let c = 0; c < PAIR_COLUMNS; c++) features[first + c] = pairs.rows[from + c];
        }
        const zone = zoneAt(compiled, st.dropoffZone[s], st.dropoffX[s], st.dropoffY[s]);
        const after = first + own;
        this.#writeNode(zone, Math.max(now, world.dropoffSecond(e, i, j)), length + 1, i, features, after);
        features[after + NODE_COLUMNS + zone] = features[after + Node.timeLeft];
        const stay = after + half;
        for (let c = 0; c < NODE_COLUMNS; c++) features[stay + c] = staying[c];
        features[stay + NODE_COLUMNS + this.#zone[i]] = staying[Node.timeLeft];
        this.drivers[count] = i;
        this.slots[count] = j;
        this.rewards[count++] = reward;
      }
    }
    return count;
  }

  /** Where and when every driver's plan ends, by zone; and how the day compares with what was expected of it. */
  #listFleet(e: number): void {
    const { state: st, drivers, compiled } = this.#world;
    const { queue } = compiled.scenario;
    const now = st.now[e];
    this.#e = e;
    this.#first.fill(-1);
    this.#all.fill(0);
    this.#idle.fill(0);
    this.#room.fill(0);
    for (let i = drivers - 1; i >= 0; i--) {
      const d = e * drivers + i;
      const zone = zoneAt(compiled, st.endZone[d], st.endX[d], st.endY[d]);
      const length = st.planLength[d];
      this.#zone[i] = zone;
      this.#free[i] = Math.max(now, st.freeAt[d]);
      this.#next[i] = this.#first[zone];
      this.#first[zone] = i;
      this.#all[zone]++;
      if (length === 0) this.#idle[zone]++;
      if (length < queue) this.#room[zone]++;
    }
    const { knownInAll, ticks } = this.#table;
    // As if a quarter of a usual day had been seen before.
    const before = knownInAll[ticks] / 4;
    const expected = knownInAll[Math.min(ticks, st.tick[e] + 1)];
    this.#today = before > 0 ? (st.created[e] + before) / (expected + before) : 1;
  }

  /** Columns of driver `self` whose plan of `length` bookings ends in `zone` at second `free`, without the zone's share. */
  #writeNode(zone: number, free: number, length: number, self: number, into: Float32Array, at: number): void {
    const { state: st, drivers, compiled } = this.#world;
    const { tickSeconds, queue } = compiled.scenario;
    const { known, ticks, worth } = this.#table;
    const now = st.now[this.#e];
    let before = 0;
    for (let i = this.#first[zone]; i >= 0; i = this.#next[i]) if (this.#free[i] <= free && i !== self) before++;
    let all = this.#all[zone];
    let idle = this.#idle[zone];
    let room = this.#room[zone];
    if (this.#zone[self] === zone) {
      const own = st.planLength[this.#e * drivers + self];
      all--;
      if (own === 0) idle--;
      if (own < queue) room--;
    }
    const tick = Math.min(ticks, Math.ceil(free / tickSeconds));
    const row = zone * (ticks + 1);
    const from = known[row + tick];
    const demand = this.#today * (known[row + Math.min(ticks, tick + NEAR_TICKS)] - from);
    const rest = this.#today * (known[row + ticks] - from);
    const timeLeft = (ticks - tick) / ticks;
    const survival = rest > 0 ? exp(-(before + 1) / rest) : 0;
    into[at + Node.timeLeft] = timeLeft;
    into[at + Node.untilFree] = (free - now) / tickSeconds / 10;
    into[at + Node.before] = before / 5;
    into[at + Node.all] = all / 5;
    into[at + Node.idle] = idle / 5;
    into[at + Node.room] = room / 5;
    into[at + Node.demand] = demand / 5;
    into[at + Node.rest] = rest / 20;
    into[at + Node.worth] = worth[zone] / 5;
    into[at + Node.beforeRatio] = (before + 1) / (demand + 1);
    into[at + Node.allRatio] = (all + 1) / (demand + 1);
    into[at + Node.beforeSurvival] = survival;
    into[at + Node.allSurvival] = rest > 0 ? exp(-(all + 1) / rest) : 0;
    into[at + Node.survivingWorth] = (survival * worth[zone] * timeLeft) / 5;
    into[at + Node.full] = length >= queue ? 1 : 0;
  }
}
