// A request as the state of a world: clocks, places, skills and promises translated. Shipments at fault become violations, and
// the others are planned.

import { shownJson } from '../engine/index.js';
import type {
  CompiledScenario,
  MatrixTravel,
  PlaneTravelSpec,
  Snapshot,
  SnapshotBooking,
  SnapshotDriver,
  Window,
} from '../engine/index.js';
import type { Violation } from './answer.js';
import { changedMinutes, secondOfDay } from './clock.js';
import { badField } from './errors.js';
import { farFault, middleOf, onPlane, planeOf } from './places.js';
import { checkShipment } from './check-request.js';
import type { RecommendRequest, ShipmentInput, StopInput, VehicleInput } from './request.js';
import { isId, join, refuse } from './schema.js';
import type { Id } from './rules.js';
import type { Fault } from './schema.js';
import { NO_SKILL, SkillBits } from './skill-bits.js';
import { hasWay, tablesOf } from './tables.js';
import type { Tables } from './tables.js';
import { inOrder } from './windows.js';

/** What holds for this request: its own options, else those that the policy was made for. */
export interface Rules {
  /** Seconds after a window at which a pickup is still allowed. */
  readonly lateTolerance: number;
  /** Most shipments in the plan of a vehicle. */
  readonly queue: number;
  /** Most new shipments for a vehicle in one answer. */
  readonly assignmentsPerVehicle: number;
  /** Kilometres per hour on the straight line. */
  readonly speedKmh: number;
  /** Seconds from now: a shipment whose window begins later waits. */
  readonly horizon: number;
  /** Seconds after which to ask again at the latest. */
  readonly revisitAfter: number;
  /** Most alternatives of an assignment. */
  readonly alternatives: number;
}

/** A shipment that is planned, with its windows put in order. */
export interface Shipment {
  /** Its own id, or that of its pickup. */
  readonly id: Id;
  /** In the request. */
  readonly index: number;
  /** As it was sent. */
  readonly input: ShipmentInput;
  /** On the request's clock, in order and apart from each other, at least one: a day from now where none is given. */
  readonly windows: readonly Window[];
  /** Likewise; none if it may be delivered at any time. */
  readonly deliveryWindows: readonly Window[];
  /** Begin of the first window of the pickup, on the request's clock. */
  readonly windowStart: number;
  /** End of its last window. */
  readonly windowEnd: number;
}

/** A request as a state of the world; seconds of the episode are the request’s less `offset`. */
export interface PlanningInput {
  /** As `checkRequest` gave it. */
  readonly request: RecommendRequest;
  /** What holds for this request. */
  readonly rules: Rules;
  /** Second of the episode. */
  readonly now: number;
  /** What to add to a second of the episode to get the request's clock. */
  readonly offset: number;
  /** Second of the local day at which the episode starts. */
  readonly startSecondOfDay: number;
  /** As from `changedMinutes`. */
  readonly changed: Uint16Array | null;
  /** Length of the episode in seconds. */
  readonly horizonSeconds: number;
  /** Whether the base scenario's demand goes on after now. */
  readonly demand: boolean;
  /** The plane in which places lie, in metres. */
  readonly travel: PlaneTravelSpec;
  /** Tables of travel times; null where there are none. */
  readonly matrix: MatrixTravel | null;
  /** Vehicles and open shipments as the engine restores them. */
  readonly snapshot: Snapshot;
  /** Whether any stop has more than one window left. */
  readonly several: boolean;
  /** Bits of skills and of loads, by vehicle. */
  readonly driverSkills: Int32Array;
  /** Those of the bits that stand for loads. */
  readonly capacityBits: number;
  /** 1 for EMERGENCY, by vehicle. */
  readonly emergency: Uint8Array;
  /** Slot j of the world holds `considered[j]`. */
  readonly considered: readonly Shipment[];
  /** Their windows begin beyond the horizon. */
  readonly later: readonly Shipment[];
  /** By vehicle, in the order of driving; null for one that is excluded from planning, because its promises are not valid. */
  readonly promised: readonly (readonly Shipment[] | null)[];
  /** Faults of single shipments, which are not planned. */
  readonly violations: readonly Violation[];
  /** In what this is unlike the base scenario. */
  readonly unlike: readonly string[];
}

const DAY = 86_400;
/** Further off than anything that is planned; keeps sums of times within 32 bits. */
const FAR = 1_000_000_000;

/**
 * Turns a request into the state of a world.
 * @param base the scenario of the policy that is to decide
 * @throws AdviseError `ERR_REQUEST` for a vehicle that is not valid; shipments that are not become violations
 */
export function readPlanningInput(request: RecommendRequest, rules: Rules, base: CompiledScenario): PlanningInput {
  const { as_of: asOf, vehicles } = request;
  const violations: Violation[] = [];
  const changed = changedMinutes(asOf, request.time_zone);
  const tables = tablesOf(request, changed);
  const middle = tables === null ? middleOf(vehicles) : null;
  for (const [k, { start, free_location: free }] of vehicles.entries()) {
    refuse(farFault(`vehicles[${k}].start`, start, middle) ?? farFault(`vehicles[${k}].free_location`, free, middle));
  }
  const shipments = readShipments(request, rules, tables, middle, violations);
  const byId = new Map(shipments.map((shipment) => [shipment.id, shipment]));

  const unlike: string[] = [];
  const { scenario } = base;
  const second = secondOfDay(asOf, request.time_zone);
  const sinceStart = second - scenario.startSecondOfDay;
  const inHours = sinceStart >= 0 && sinceStart < scenario.horizonSeconds;
  if (!inHours) unlike.push('time of day');

  const stops = shipments.flatMap(({ input }) => [input.pickup, input.delivery]);
  const { travel, inArea } = planeOf(scenario.travel as PlaneTravelSpec, vehicles, stops, rules.speedKmh);
  if (!inArea) unlike.push('area');
  if (rules.speedKmh !== (scenario.travel as PlaneTravelSpec).speedKmh) unlike.push('speed');
  if (rules.lateTolerance !== scenario.lateToleranceSeconds) unlike.push('late tolerance');
  if (rules.queue !== scenario.queue) unlike.push('queue');
  if (rules.assignmentsPerVehicle !== scenario.assignmentsPerDriverPerTick) unlike.push('assignments per vehicle');

  const now = inHours ? sinceStart : second;
  const startSecondOfDay = inHours ? scenario.startSecondOfDay : 0;
  const toEngine = (at: number): number => Math.max(-FAR, Math.min(FAR, at - asOf)) + now;
  const at = (stop: StopInput): [x: number, y: number, zone: number] => {
    const { location, location_index: zone = 0 } = stop;
    if (location === undefined) return [0, 0, zone];
    const { x, y } = onPlane(travel, location);
    return [x, y, zone];
  };

  const skills = new SkillBits(base, vehicles);
  const bookingOf = (shipment: Shipment, promise = false): SnapshotBooking => {
    const { pickup, delivery, known_at: knownAt = asOf, priority = 50, leg } = shipment.input;
    const [pickupX, pickupY, pickupZone] = at(pickup);
    const [dropoffX, dropoffY, dropoffZone] = at(delivery);
    const { windows, deliveryWindows } = shipment;
    const onEngine = (list: readonly Window[]): Window[] => list.map(([from, to]) => [toEngine(from), toEngine(to)]);
    const dropoffService = delivery.service ?? scenario.dropoffServiceSeconds;
    return {
      pickupX,
      pickupY,
      pickupZone,
      dropoffX,
      dropoffY,
      dropoffZone,
      knownAt: toEngine(Math.max(Math.min(knownAt, asOf), asOf - DAY)),
      windowStart: toEngine(shipment.windowStart),
      windowEnd: toEngine(shipment.windowEnd),
      priority: 1 + Math.min(4, Math.floor(priority / 20)),
      // A promise stands, whatever it needs.
      skills: promise ? 0 : skills.needed(shipment.input),
      leg: leg === 'return' ? 1 : 0,
      fare: 0,
      pickupService: pickup.service ?? scenario.pickupServiceSeconds,
      dropoffService,
      ...(deliveryWindows.length === 0
        ? {}
        : {
            earliestDropoff: toEngine(deliveryWindows[0][0]),
            latestDropoff: toEngine(deliveryWindows[deliveryWindows.length - 1][1]) + dropoffService,
          }),
      ...(windows.length > 1 ? { windows: onEngine(windows) } : {}),
      ...(deliveryWindows.length > 1 ? { dropoffWindows: onEngine(deliveryWindows) } : {}),
    };
  };

  const locked = new Set<Id>();
  const promised = vehicles.map((vehicle, k) => {
    const ids = vehicle.locked ?? [];
    const list = ids.map((id) => byId.get(id)).filter((shipment) => shipment !== undefined);
    for (const id of ids) locked.add(id);
    const cut = tables !== null && isCut(tables, vehicle, list, asOf);
    if (list.length === ids.length && (vehicle.status !== 'offline' || ids.length === 0) && !cut) return list;
    // Where the vehicle would end up is not known: it takes nothing, and what it has stays with it.
    for (const [n, id] of ids.entries()) {
      const path = `vehicles[${k}].locked[${n}]`;
      const why = !byId.has(id)
        ? 'no valid shipment has this id'
        : vehicle.status === 'offline'
          ? 'the vehicle is offline: unlock the shipment to have it planned'
          : cut
            ? 'the table has no route for the promises of this vehicle'
            : 'another promise of this vehicle is not valid';
      const message = `${path} is ${shownJson(id)}: ${why}; vehicle ${vehicle.id} is excluded from planning`;
      violations.push({ shipment: id, path, message });
    }
    return null;
  });

  const drivers = vehicles.map((vehicle, k): SnapshotDriver => {
    const { status = 'available', free_at: freeAt = asOf, load = 0 } = vehicle;
    const busy = isBusy(vehicle, asOf);
    const { location, index } = placeOf(vehicle, busy);
    const [x, y, zone] = at({ ...(location === undefined ? {} : { location }), location_index: index });
    const shift = vehicle.time_window;
    const free = toEngine(Math.max(freeAt, shift?.[0] ?? 0, asOf));
    const list = promised[k];
    const plan = status === 'busy' ? [{ pickupAt: now, dropoffAt: free }] : [];
    const planned = plan.length + (list?.length ?? 0);
    if (planned > rules.queue) {
      throw badField(
        `vehicles[${k}].locked`,
        `makes a plan of ${planned} shipments, but options.queue is ${rules.queue}: raise options.queue or unlock a shipment`,
      );
    }
    return {
      x,
      y,
      zone,
      freeAt: free,
      plan,
      onBoard: plan.length > 0,
      load,
      offDuty: status === 'offline' || list === null,
      ...(list === null || list.length === 0 ? {} : { promised: list.map((shipment) => bookingOf(shipment, true)) }),
      ...(shift === undefined ? {} : { shiftEnd: toEngine(shift[1]) }),
    };
  });

  const free = shipments.filter(({ id }) => !locked.has(id));
  const considered: Shipment[] = [];
  const later: Shipment[] = [];
  const bookings: SnapshotBooking[] = [];
  for (const shipment of free) {
    if (shipment.windowStart > asOf + rules.horizon) {
      later.push(shipment);
    } else if (skills.full(shipment.input)) {
      const path = `shipments[${shipment.index}].skills`;
      const message = `${path} and the other shipments need more than ${NO_SKILL} different skills and amounts: split the request`;
      violations.push({ shipment: shipment.id, path, message });
    } else {
      considered.push(shipment);
      bookings.push(bookingOf(shipment));
    }
  }
  if (skills.unknown) unlike.push('skills');
  if (considered.some(isSeveral)) unlike.push('several windows');
  if (vehicles.length > scenario.drivers) unlike.push(`${vehicles.length} vehicles`);
  if (considered.length > scenario.slots) unlike.push(`${considered.length} shipments`);
  if (
    tables !== null &&
    [...vehicles, ...considered.flatMap(({ input }) => [input.pickup, input.delivery])].some((one) => !hasPlace(one))
  ) {
    unlike.push('places without coordinates');
  }

  return {
    request,
    rules,
    now,
    offset: asOf - now,
    startSecondOfDay,
    changed,
    horizonSeconds: inHours ? scenario.horizonSeconds : 2 * DAY,
    demand: inHours && inArea && tables === null,
    travel,
    matrix: tables?.matrix ?? null,
    snapshot: { now, drivers, bookings, patience: rules.horizon },
    several: considered.some(isSeveral) || promised.some((list) => list?.some(isSeveral) === true),
    driverSkills: Int32Array.from(vehicles, (vehicle) => skills.of(vehicle)),
    capacityBits: skills.capacityBits,
    emergency: Uint8Array.from(vehicles, ({ kind }) => (kind === 'EMERGENCY' ? 1 : 0)),
    considered,
    later,
    promised,
    violations,
    unlike,
  };
}

function hasPlace(one: VehicleInput | StopInput): boolean {
  return ('start' in one && one.start !== undefined) || ('location' in one && one.location !== undefined);
}

/** Shipments by themselves: those at fault become violations. */
function readShipments(
  request: RecommendRequest,
  rules: Rules,
  tables: Tables | null,
  middle: readonly [number, number] | null,
  violations: Violation[],
): Shipment[] {
  const { as_of: asOf } = request;
  const found: Shipment[] = [];
  const seen = new Set<string>();
  for (const [k, value] of request.shipments.entries()) {
    const at = `shipments[${k}]`;
    const input = value as ShipmentInput;
    const fault = checkShipment(value, asOf) ?? placeFault(input, tables, middle);
    // Even a shipment at fault may have a good id, by which its sender finds it.
    const known = idOf(value);
    const violate = (path: string, message: string): void => {
      const full = join(at, path);
      violations.push({ shipment: known, path: full, message: `${full} ${message}` });
    };
    if (fault !== null) {
      for (const { path, message } of [fault, ...(fault.also ?? [])]) violate(path, message);
      continue;
    }
    // `checkShipment` has seen to it that there is one.
    const id = known as Id;
    if (seen.has(String(id))) {
      violate('id', `is ${id}: another shipment has the same id`);
      continue;
    }
    seen.add(String(id));
    const { pickup, delivery } = input;
    const always: Window = [Math.min(asOf, input.known_at ?? asOf), asOf + DAY];
    const windows = inOrder(pickup.time_windows ?? [always], asOf - rules.lateTolerance);
    const deliveryWindows = inOrder(delivery.time_windows ?? [], asOf);
    const [windowStart, windowEnd] = [windows[0][0], windows[windows.length - 1][1]];
    found.push({ id, index: k, input, windows, deliveryWindows, windowStart, windowEnd });
  }
  return found;
}

function idOf(value: unknown): Id | null {
  const { id, pickup } = (typeof value === 'object' && value !== null ? value : {}) as {
    id?: unknown;
    pickup?: { id?: unknown } | null;
  };
  const found = id ?? pickup?.id;
  return isId(found) ? found : null;
}

function placeFault(
  { pickup, delivery }: ShipmentInput,
  tables: Tables | null,
  middle: readonly [number, number] | null,
): Fault | null {
  for (const [end, { location, location_index: index }] of [
    ['pickup', pickup] as const,
    ['delivery', delivery] as const,
  ]) {
    if (tables === null && location === undefined) {
      return { path: `${end}.location`, message: 'is missing: it is required where the request has no matrices' };
    }
    const far = farFault(`${end}.location`, location, middle);
    if (far !== null) return far;
    if (tables !== null && index === undefined) {
      return { path: `${end}.location_index`, message: 'is missing: it is required where the request has matrices' };
    }
    if (tables !== null && index !== undefined && index >= tables.places) {
      return {
        path: `${end}.location_index`,
        message: `is ${index}: the table has ${tables.places} places, so expected 0 to ${tables.places - 1}`,
      };
    }
  }
  const [from = 0, to = 0] = [pickup.location_index, delivery.location_index];
  if (tables !== null && !hasWay(tables, from, to)) {
    const message = `is ${to}: the table has no route to it from pickup.location_index ${from}`;
    return { path: 'delivery.location_index', message };
  }
  return null;
}

/** Whether a vehicle cannot get from one to the next of what it is promised to. */
function isCut(tables: Tables, vehicle: VehicleInput, promised: readonly Shipment[], asOf: number): boolean {
  let at = placeOf(vehicle, isBusy(vehicle, asOf)).index;
  return promised.some(({ input: { pickup, delivery } }) => {
    const [from = 0, to = 0] = [pickup.location_index, delivery.location_index];
    const cut = !hasWay(tables, at, from);
    at = to;
    return cut;
  });
}

function isBusy({ status, free_at: freeAt = 0 }: VehicleInput, asOf: number): boolean {
  return status === 'busy' || freeAt > asOf;
}

/** Where a vehicle is, or will be free. */
function placeOf(vehicle: VehicleInput, busy: boolean): { location: StopInput['location']; index: number } {
  const { start, start_index: zone = 0, free_location: free, free_location_index: freeZone } = vehicle;
  return busy ? { location: free ?? start, index: freeZone ?? zone } : { location: start, index: zone };
}

function isSeveral({ windows, deliveryWindows }: Shipment): boolean {
  return windows.length > 1 || deliveryWindows.length > 1;
}
