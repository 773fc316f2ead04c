// What demand is known to be like before a day begins: how many bookings each zone gets in each tick, and what they pay. On recorded
// trips it is the mean of the training days, on drawn demand it follows from the scenario. In a plane the zones are cells of a grid.

import type { CompiledScenario, SyntheticDemandSpec } from '../engine/index.js';

/** Cells along each side of a plane. */
const GRID = 4;

/** Expected demand by zone and tick. */
export interface DemandTable {
  /** Zones, or cells of the plane. */
  readonly zones: number;
  /** Ticks in an episode. */
  readonly ticks: number;
  /** `[zones, ticks + 1]`: bookings of the zone that are expected to be known before tick t. */
  readonly known: Float64Array;
  /** `[ticks + 1]`: the same of all zones. */
  readonly knownInAll: Float64Array;
  /** `[zones]`: what a booking of the zone pays on average, less the cost of its ride; 0 where rewards are weighted sums. */
  readonly worth: Float64Array;
}

const tables = new WeakMap<CompiledScenario, DemandTable>();

/** The table of a scenario; made once. */
export function demandTable(compiled: CompiledScenario): DemandTable {
  let table = tables.get(compiled);
  if (table === undefined) {
    table = makeTable(compiled);
    tables.set(compiled, table);
  }
  return table;
}

/** The zone of a place: as the scenario has it, or the cell of the plane. */
export function zoneAt({ matrix, extentX, extentY }: CompiledScenario, zone: number, x: number, y: number): number {
  return matrix === null ? GRID * cell(y / extentY) + cell(x / extentX) : zone;
}

/** Of a coordinate within -1 to 1; what lies beyond is in the outermost cells. */
function cell(coordinate: number): number {
  return Math.max(0, Math.min(GRID - 1, Math.floor(((coordinate + 1) * GRID) / 2)));
}

function makeTable(compiled: CompiledScenario): DemandTable {
  const { scenario, dataset, matrix, ticks } = compiled;
  const zones = matrix === null ? GRID * GRID : matrix.zones;
  const perTick = new Float64Array(zones * (ticks + 1));
  const worth = new Float64Array(zones);
  if (dataset !== null) countTrips(compiled, zones, perTick, worth);
  else if (scenario.demand.kind === 'synthetic') spreadDrawn(compiled, scenario.demand, zones, perTick);
  const known = new Float64Array(zones * (ticks + 1));
  const knownInAll = new Float64Array(ticks + 1);
  for (let z = 0; z < zones; z++) {
    for (let t = 0, sum = 0; t <= ticks; t++) {
      known[z * (ticks + 1) + t] = sum;
      knownInAll[t] += sum;
      sum += perTick[z * (ticks + 1) + t];
    }
  }
  return { zones, ticks, known, knownInAll, worth };
}

/** Means of the training days: the other splits are not to be known. */
function countTrips(compiled: CompiledScenario, zones: number, perTick: Float64Array, worth: Float64Array): void {
  const { scenario, ticks } = compiled;
  const { trace, splits } = compiled.dataset!;
  const { tickSeconds, reward } = scenario;
  const costPerMetre = reward.kind === 'fare' ? reward.costPerMetre : 0;
  const counts = new Float64Array(zones);
  const share = 1 / Math.max(1, splits.training.length);
  for (const day of splits.training) {
    for (let t = trace.dayStart[day]; t < trace.dayStart[day + 1]; t++) {
      const tick = Math.ceil(trace.knownAt[t] / tickSeconds);
      if (tick >= ticks) continue;
      const { places } = trace;
      const z = zoneAt(compiled, trace.pickupZone[t], places?.pickupX[t] ?? 0, places?.pickupY[t] ?? 0);
      perTick[z * (ticks + 1) + tick] += share;
      counts[z]++;
      if (reward.kind === 'fare') worth[z] += trace.fare[t] / 1e4 - costPerMetre * trace.metres[t];
    }
  }
  for (let z = 0; z < zones; z++) if (counts[z] > 0) worth[z] /= counts[z];
}

/** Drawn demand comes from everywhere alike. A call of tick t is known at the next one. */
function spreadDrawn(
  compiled: CompiledScenario,
  demand: SyntheticDemandSpec,
  zones: number,
  perTick: Float64Array,
): void {
  const { ticks, arrivalByTick } = compiled;
  const mean = ([low, high]: readonly [number, number]): number => (low + high) / 2;
  for (let z = 0; z < zones; z++) {
    perTick[z * (ticks + 1)] = mean(demand.initialBookings) / zones;
    for (let t = 1; t <= ticks; t++) {
      perTick[z * (ticks + 1) + t] = (arrivalByTick[t - 1] * mean(demand.bookingsPerArrival)) / zones;
    }
  }
}
