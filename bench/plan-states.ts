// Seeded states in which whole plans are asked for, as requests that our planner and VROOM both understand, and a check of what comes
// back that shares no code with either. Seconds since `now` = 0, places as rows of one table.

import { Purpose, RandomStream } from '../engine/index.js';

/** Most shipments of one vehicle. */
export const PER_VEHICLE = 3;
/** Seconds that a pickup may be late where windows are not hard. */
export const TOLERANCE = 900;
/** Metres a second on the straight line. */
const SPEED = 30 / 3.6;

/** A shipment of a state. */
export interface StateShipment {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  /** Last second of its window, which begins at 0. */
  readonly until: number;
  /** Seconds at the pickup. */
  readonly service: number;
}

/** Idle vehicles, open shipments, and the seconds between all places; vehicle i stands at place i and has id 1 + i. */
export interface PlanState {
  readonly vehicles: number;
  readonly shipments: readonly StateShipment[];
  readonly durations: readonly (readonly number[])[];
}

/** A state in an area as large as that of `geneva`, in which each shipment wants a vehicle within 5 to 30 minutes. */
export function planState(vehicles: number, shipments: number, seed: number): PlanState {
  const stream = new RandomStream(seed, Purpose.demand);
  const places = Array.from({ length: vehicles + 2 * shipments }, () => [
    stream.integer(0, 15_400),
    stream.integer(0, 22_200),
  ]);
  return {
    vehicles,
    shipments: Array.from({ length: shipments }, (_, k) => ({
      id: 1 + k,
      from: vehicles + 2 * k,
      to: vehicles + 2 * k + 1,
      until: 60 * stream.integer(5, 30),
      service: 60,
    })),
    durations: places.map(([x, y]) => places.map(([u, v]) => Math.round(Math.hypot(x - u, y - v) / SPEED))),
  };
}

/** The state as VROOM and `POST /v1/vroom` take it: one shipment on board, windows that end later by a tolerance. */
export function vroomRequest({ vehicles, shipments, durations }: PlanState, tolerance: number): object {
  return {
    vehicles: Array.from({ length: vehicles }, (_, i) => ({
      ...{ id: 1 + i, start_index: i, capacity: [1] },
      // A pickup and a delivery are two tasks.
      max_tasks: 2 * PER_VEHICLE,
    })),
    shipments: shipments.map(({ id, from, to, until, service }) => ({
      amount: [1],
      pickup: { id, location_index: from, service, time_windows: [[0, until + tolerance]] },
      delivery: { id, location_index: to },
    })),
    matrices: { car: { durations } },
  };
}

/** The state as `POST /v1/recommend` takes it. */
export function recommendRequest({ vehicles, shipments, durations }: PlanState, tolerance: number): object {
  return {
    as_of: 0,
    policy: 'planner',
    options: { assignments_per_vehicle: PER_VEHICLE, queue: PER_VEHICLE, late_tolerance: tolerance },
    vehicles: Array.from({ length: vehicles }, (_, i) => ({ id: 1 + i, start_index: i })),
    shipments: shipments.map(({ id, from, to, until, service }) => ({
      id,
      pickup: { location_index: from, service, time_windows: [[0, until]] },
      delivery: { location_index: to },
    })),
    matrices: { car: { durations } },
  };
}

/** When a vehicle says that it picks up a shipment. */
export interface PlannedPickup {
  readonly vehicle: number;
  readonly shipment: number;
  readonly at: number;
}

/** What a plan serves. */
export interface Served {
  readonly onTime: number;
  readonly inAll: number;
}

/**
 * Drives a plan, one shipment on board at a time, each vehicle in the order of its pickups.
 * @throws Error if the plan breaks a rule of the state, or says another time than it takes
 */
export function servedBy(
  { shipments, durations }: PlanState,
  plan: readonly PlannedPickup[],
  tolerance: number,
): Served {
  const done = new Set<number>();
  const at = new Map<number, { place: number; time: number; count: number }>();
  let onTime = 0;
  for (const { vehicle, shipment, at: said } of plan.toSorted((a, b) => a.at - b.at)) {
    const fault = (what: string): Error => new Error(`vehicle ${vehicle}, shipment ${shipment}: ${what}`);
    const asked = shipments.find(({ id }) => id === shipment);
    const last = at.get(vehicle) ?? { place: vehicle - 1, time: 0, count: 0 };
    if (asked === undefined || done.has(shipment)) throw fault('is not open');
    if (last.count === PER_VEHICLE) throw fault(`is its ${PER_VEHICLE + 1}th`);
    const pickup = last.time + durations[last.place][asked.from];
    if (pickup !== said) throw fault(`is picked up at ${pickup}, not at ${said}`);
    if (pickup > asked.until + tolerance) throw fault(`is picked up at ${pickup}, after ${asked.until + tolerance}`);
    if (pickup <= asked.until) onTime++;
    done.add(shipment);
    const time = pickup + asked.service + durations[asked.from][asked.to];
    at.set(vehicle, { place: asked.to, time, count: last.count + 1 });
  }
  return { onTime, inAll: done.size };
}
