// Whether a request is valid beyond its schema: names, clocks, tables. A fault of a vehicle refuses the whole request, a fault
// of a shipment only that shipment.

import { shownJson } from '../engine/index.js';
import { isTimeZone } from './clock.js';
import { badField } from './errors.js';
import { requestProps, shipmentProps } from './request.js';
import type { RecommendRequest, ShipmentInput } from './request.js';
import { compile, refuse } from './schema.js';
import type { Id } from './rules.js';
import type { Fault } from './schema.js';
import { checkTables } from './tables.js';

/** Times further than that from now are on another clock. */
const YEAR = 366 * 86_400;

const checkProps = compile(requestProps);
const checkShipmentProps = compile(shipmentProps);

/** The first fault of a shipment by itself. */
export function checkShipment(value: unknown, asOf: number): Fault | null {
  const fault = checkShipmentProps(value);
  if (fault !== null) return fault;
  const shipment = value as ShipmentInput;
  if (shipment.id === undefined && shipment.pickup.id === undefined) {
    return { path: 'id', message: 'is missing: give it, or pickup.id' };
  }
  for (const end of ['pickup', 'delivery'] as const) {
    for (const [k, window] of (shipment[end].time_windows ?? []).entries()) {
      const found = windowFault(`${end}.time_windows[${k}]`, window, asOf);
      if (found !== null) return found;
    }
  }
  return null;
}

function windowFault(path: string, window: readonly [number, number] | undefined, asOf: number): Fault | null {
  if (window === undefined) return null;
  const [from, to] = window;
  if (from > to) return { path, message: `is ${shownJson(window)}: it ends before it begins` };
  return from > asOf + YEAR || to < asOf - YEAR ? otherClock(path, window, asOf) : null;
}

function otherClock(path: string, value: unknown, asOf: number): Fault {
  const message = `is ${shownJson(value)}, more than a year from as_of (${asOf}): expected all times in seconds on the same clock`;
  return { path, message };
}

/** What OSRM said instead of a table, if that is what has been passed on. */
function tableFault(body: unknown, path: string): Fault | null {
  const [, profile] = /^matrices\.(.+)\.durations$/.exec(path) ?? [];
  if (profile === undefined) return null;
  const { matrices } = body as { matrices: Readonly<Record<string, { code?: unknown; message?: unknown }>> };
  if (!Object.hasOwn(matrices, profile)) return null;
  const { code, message } = matrices[profile];
  if (typeof code !== 'string') return null;
  const said = `${code}${typeof message === 'string' ? `, ${message}` : ''}`.slice(0, 100);
  const remedy = code === 'Ok' ? 'ask OSRM for annotations=duration,distance' : 'expected an answer with durations';
  return { path, message: `is missing: OSRM answered ${said}; ${remedy}` };
}

/** The request with its clock, and without words about people and places, which are not to be stored. */
function understood(body: Partial<RecommendRequest>): RecommendRequest {
  const { as_of: asOf = 0, vehicles = [], shipments = [] } = body;
  return {
    ...body,
    as_of: asOf,
    vehicles: vehicles.map((vehicle) => withoutWords(vehicle)),
    shipments: shipments.map((shipment) => {
      if (!isObject(shipment)) return shipment;
      const { pickup, delivery } = shipment as { pickup?: unknown; delivery?: unknown };
      return {
        ...withoutWords(shipment),
        ...(isObject(pickup) ? { pickup: withoutWords(pickup) } : {}),
        ...(isObject(delivery) ? { delivery: withoutWords(delivery) } : {}),
      };
    }),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutWords<T extends object>(value: T): T {
  if (!Object.hasOwn(value, 'description')) return value;
  const { description: _, ...rest } = value as T & { readonly description?: unknown };
  return rest as unknown as T;
}

/**
 * Checks the whole but for the shipments, and gives back what is meant, without what an OSRM answer brings along.
 * @throws AdviseError `ERR_REQUEST` naming path, value and remedy
 */
export function checkRequest(body: unknown): RecommendRequest {
  const fault = checkProps(body);
  if (fault !== null) refuse(tableFault(body, fault.path) ?? fault);
  const request = understood(body as Partial<RecommendRequest>);
  if (request.options?.format !== undefined) {
    throw badField('options.format', 'is "vroom": only POST /v1/recommend and POST /v1/vroom answer in that form');
  }
  const { vehicles, matrices, matrices_by_time: byTime, time_zone: zone } = request;
  if (zone !== undefined && !isTimeZone(zone)) {
    throw badField('time_zone', `is ${shownJson(zone)}: expected the IANA name of a time zone, such as Europe/Zurich`);
  }
  const tables = matrices !== undefined || byTime !== undefined;
  const profile = vehicles[0]?.profile ?? 'car';
  // 1 and "1" read alike, in tables and in sentences.
  const seen = new Set<string>();
  const locked = new Set<Id>();
  for (const [k, vehicle] of vehicles.entries()) {
    const at = `vehicles[${k}]`;
    if (seen.has(String(vehicle.id)))
      throw badField(`${at}.id`, `is ${shownJson(vehicle.id)}: another vehicle has the same id`);
    seen.add(String(vehicle.id));
    if ((vehicle.profile ?? 'car') !== profile) {
      throw badField(
        `${at}.profile`,
        `is ${shownJson(vehicle.profile)}: expected ${shownJson(profile)}, as all vehicles of a request have the same profile`,
      );
    }
    const [field, other] = tables ? (['start_index', 'start'] as const) : (['start', 'start_index'] as const);
    if (vehicle[field] === undefined) {
      throw badField(
        `${at}.${field}`,
        `is missing: it is required where the request has ${tables ? '' : 'no '}matrices (not ${other})`,
      );
    }
    if (vehicle.status === 'busy' && vehicle.free_at === undefined) {
      throw badField(`${at}.free_at`, 'is missing: a busy vehicle needs the time at which its ride ends');
    }
    refuse(windowFault(`${at}.time_window`, vehicle.time_window, request.as_of));
    if ((vehicle.free_at ?? 0) > request.as_of + YEAR)
      refuse(otherClock(`${at}.free_at`, vehicle.free_at, request.as_of));
    for (const [n, shipment] of (vehicle.locked ?? []).entries()) {
      if (locked.has(shipment))
        throw badField(`${at}.locked[${n}]`, `is ${shownJson(shipment)}: the shipment is locked twice`);
      locked.add(shipment);
    }
  }
  if (!tables) return request;
  const { places, ...sound } = checkTables(request, profile);
  for (const [k, { start_index: start = 0, free_location_index: free = start }] of vehicles.entries()) {
    if (Math.max(start, free) >= places) {
      const field = start >= places ? 'start_index' : 'free_location_index';
      throw badField(
        `vehicles[${k}].${field}`,
        `is ${Math.max(start, free)}: the table has ${places} places, so expected 0 to ${places - 1}`,
      );
    }
  }
  return { ...request, ...sound };
}
