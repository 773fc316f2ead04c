// From a scenario to the tables that the transition looks up: traffic by the minute, arrival odds by the tick, the
// fleet's make-up. All of it is read-only and may be shared between threads.

import { checkDataset } from './check-dataset.js';
import { EngineError } from './errors.js';
import type { DayProfile, FleetGroup, PlaneTravelSpec, Scenario } from './scenario.js';
import type { Dataset } from './trace.js';
import { planeExtent, toPlane } from './travel.js';
import type { MatrixTravel } from './travel.js';
import { validateScenario } from './validate.js';
import { shown } from './shown.js';

/** Profiles change on whole minutes (validate.ts), so a table by minute of the day is exact. */
const MINUTES = 24 * 60;

/** A checked scenario with the tables that the transition looks up. Read-only; may be shared between threads. */
export interface CompiledScenario {
  readonly scenario: Scenario;
  /** Present exactly if demand is a trace. */
  readonly dataset: Dataset | null;
  /** Present exactly if travel is a matrix. */
  readonly matrix: MatrixTravel | null;
  /** Ticks in an episode. */
  readonly ticks: number;
  /** Travel seconds / free-flow seconds, by minute of the day of the departure, `[1440]`. */
  readonly factorByMinute: Float64Array;
  /** Of the tick that starts then, `[ticks + 1]`: traffic level, time of day as a fraction, arrival probability. */
  readonly trafficByTick: Float64Array;
  readonly dayFractionByTick: Float64Array;
  readonly arrivalByTick: Float64Array;
  /** 1 for an EMERGENCY driver, `[N]`. */
  readonly emergency: Uint8Array;
  /** Bit k: the driver has skill k, `[N]`. */
  readonly driverSkills: Int32Array;
  /** Where drivers live and when they work; null where all start alike and work all the time. */
  readonly shifts: Shifts | null;
  /** Squares of `demand.hotSpots`, a row of `HOT_SPOT` numbers each: x, y, reach in metres, and the sum of shares so far. */
  readonly hotSpots: Float64Array;
  /** Half of the area's extent in metres: what observations are scaled by. */
  readonly extentX: number;
  readonly extentY: number;
  /** How many windows a booking of a live state may have; 0 stands for one, as all bookings of scenarios have. */
  readonly windows: number;
}

/** Numbers that a hot spot takes in `CompiledScenario.hotSpots`. */
export const HOT_SPOT = 4;

/** Homes and shifts, `[N]` each. */
export interface Shifts {
  /** Metres east and north of the centre. */
  readonly homeX: Float64Array;
  readonly homeY: Float64Array;
  /** Seconds since the start of the episode; those who work already have 0. */
  readonly from: Int32Array;
  readonly to: Int32Array;
}

/**
 * Checks a scenario with its recorded trips and builds its tables.
 * @param candidate what should be a `Scenario`
 * @param dataset   recorded trips: required if demand is a trace, refused if demand is drawn from the seed
 * @throws EngineError `ERR_SCENARIO`, `ERR_TRACE`
 */
export function compileScenario(candidate: unknown, dataset: Dataset | null = null): CompiledScenario {
  const scenario = validateScenario(candidate);
  if (scenario.demand.kind !== 'trace') {
    if (dataset !== null) {
      throw new EngineError(
        'ERR_SCENARIO',
        `dataset is ${shown(dataset)}, and scenario "${scenario.name}" draws its demand from the seed: leave dataset out, or give a scenario whose demand is { kind: "trace" }`,
      );
    }
  } else {
    if (dataset === null) {
      throw new EngineError('ERR_SCENARIO', `scenario "${scenario.name}" needs recorded trips: give its data folder`);
    }
    if (typeof dataset !== 'object') {
      throw new EngineError('ERR_TRACE', `dataset is ${String(dataset)}: expected recorded trips with their tables`);
    }
    if ((scenario.travel.kind === 'matrix') !== (dataset.travel !== null)) {
      throw new EngineError(
        'ERR_SCENARIO',
        `scenario "${scenario.name}" travels by ${scenario.travel.kind}, its data by ${dataset.travel === null ? 'plane' : 'matrix'}`,
      );
    }
    checkDataset(dataset, scenario);
  }
  return tablesOf(scenario, dataset);
}

/**
 * The same rules for another fleet, clock or tolerance; demand and kind of travel stay.
 * @param changes not checked: they come from code that has bounded them
 */
export function adapt(compiled: CompiledScenario, changes: Partial<Scenario>): CompiledScenario {
  return tablesOf({ ...compiled.scenario, ...changes }, compiled.dataset);
}

function tablesOf(scenario: Scenario, dataset: Dataset | null): CompiledScenario {
  const matrix = dataset?.travel ?? null;
  const ticks = scenario.horizonSeconds / scenario.tickSeconds;
  const start = scenario.startSecondOfDay;
  const byTick = (f: (second: number) => number): Float64Array =>
    Float64Array.from({ length: ticks + 1 }, (_, t) => f(start + t * scenario.tickSeconds));
  const factorByMinute = Float64Array.from(
    { length: MINUTES },
    (_, m) => 1 / (1 - scenario.trafficSlowdown * levelAt(scenario.traffic, m * 60)),
  );
  const { drivers, demand } = scenario;
  const groups = groupsOf(scenario);
  const extent = scenario.travel.kind === 'plane' ? planeExtent(scenario.travel) : matrixExtent(matrix!);
  return {
    scenario,
    dataset,
    matrix,
    ticks,
    factorByMinute,
    trafficByTick: byTick((second) => levelAt(scenario.traffic, second)),
    dayFractionByTick: byTick((second) => (second % 86_400) / 86_400),
    arrivalByTick: byTick((second) => (demand.kind === 'synthetic' ? levelAt(demand.arrivalProbability, second) : 0)),
    emergency: Uint8Array.from({ length: drivers }, (_, i) =>
      (groups === null ? i >= Math.floor(drivers * scenario.regularShare) : groups[i].type === 'EMERGENCY') ? 1 : 0,
    ),
    driverSkills: Int32Array.from({ length: drivers }, (_, i) =>
      groups !== null
        ? bitsOf(groups[i].skills, scenario)
        : scenario.skills.reduce(
            (bits, skill, k) =>
              bits | (Math.floor((i + 1) * skill.driverShare) > Math.floor(i * skill.driverShare) ? 1 << k : 0),
            0,
          ),
    ),
    shifts: groups === null || scenario.travel.kind !== 'plane' ? null : shiftsOf(groups, scenario),
    hotSpots: hotSpotsOf(scenario),
    extentX: extent.x,
    extentY: extent.y,
    windows: 0,
  };
}

/** The group of each driver. Where a fleet has been given another size (`adapt`), the last group goes on. */
function groupsOf({ fleet, drivers }: Scenario): readonly FleetGroup[] | null {
  if (fleet === undefined) return null;
  const groups = fleet.flatMap((group) => new Array<FleetGroup>(group.drivers).fill(group));
  return Array.from({ length: drivers }, (_, i) => groups[Math.min(i, groups.length - 1)]);
}

function bitsOf(names: readonly string[], { skills }: Scenario): number {
  return skills.reduce((bits, { name }, k) => bits | (names.includes(name) ? 1 << k : 0), 0);
}

function shiftsOf(groups: readonly FleetGroup[], { travel, startSecondOfDay }: Scenario): Shifts {
  const { centreLongitude, centreLatitude } = travel as PlaneTravelSpec;
  const homes = groups.map((g) => toPlane(g.homeLongitude, g.homeLatitude, centreLongitude, centreLatitude));
  return {
    homeX: Float64Array.from(homes, ({ x }) => x),
    homeY: Float64Array.from(homes, ({ y }) => y),
    from: Int32Array.from(groups, (group) => Math.max(0, group.shiftFromSecondOfDay - startSecondOfDay)),
    to: Int32Array.from(groups, (group) => group.shiftToSecondOfDay - startSecondOfDay),
  };
}

function hotSpotsOf({ travel, demand }: Scenario): Float64Array {
  if (travel.kind !== 'plane' || demand.kind !== 'synthetic') return new Float64Array(0);
  const { centreLongitude, centreLatitude } = travel;
  let sum = 0;
  const rows = (demand.hotSpots ?? []).flatMap(({ latitude, longitude, reachMetres, share }) => {
    const { x, y } = toPlane(longitude, latitude, centreLongitude, centreLatitude);
    sum += share;
    return [x, y, reachMetres, sum];
  });
  return Float64Array.from(rows);
}

/** The profile's level at a second of the day (wrapped at midnight). */
export function levelAt(profile: DayProfile, second: number): number {
  const s = second % 86_400;
  for (const part of profile.parts) {
    if (s >= part.fromSecondOfDay && s < part.toSecondOfDay) return part.level;
  }
  return profile.base;
}

function matrixExtent(matrix: MatrixTravel): { x: number; y: number } {
  const reach = (values: Float32Array): number => values.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  return { x: reach(matrix.x), y: reach(matrix.y) };
}
