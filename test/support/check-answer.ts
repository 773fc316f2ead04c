// An independent check of an answer against its request: written from the rules in serve's documents, without the engine. It
// drives every vehicle's promises and new assignments by hand and compares seconds.

import { expect } from 'vitest';

interface Stop {
  readonly location?: readonly [number, number];
  readonly location_index?: number;
  readonly service?: number;
  readonly time_windows?: [number, number][];
}
interface Ship {
  readonly id: number | string;
  readonly pickup: Stop;
  readonly delivery: Stop;
  readonly skills?: unknown[];
  readonly amount?: number[];
}
interface Vehicle {
  readonly id: number | string;
  readonly start?: readonly [number, number];
  readonly start_index?: number;
  readonly skills?: unknown[];
  readonly capacity?: number[];
  readonly time_window?: [number, number];
  readonly status?: string;
  readonly free_at?: number;
  readonly free_location?: readonly [number, number];
  readonly free_location_index?: number;
  readonly locked?: (number | string)[];
}
interface Table {
  readonly durations: (number | null)[][];
  readonly distances?: (number | null)[][];
}
export interface Asked {
  readonly deadline_ms?: number;
  readonly as_of: number;
  readonly time_zone?: string;
  readonly options?: Record<string, number>;
  readonly vehicles: Vehicle[];
  readonly shipments: Ship[];
  readonly matrices?: Record<string, Table>;
  readonly matrices_by_time?: Record<string, (Table & { from: number; to: number })[]>;
}
export interface Given {
  readonly assignments: {
    rank: number;
    shipment: number | string;
    vehicle: number | string;
    pickup_eta: number;
    delivery_eta: number;
    lateness: number;
    approach_distance: number;
  }[];
  readonly waiting: { shipment: number | string; revisit_at: number; latest_safe: number | null }[];
  readonly unassigned: { shipment: number | string; reasons: { relaxed: string[]; vehicles: (number | string)[] }[] }[];
  readonly locked: {
    shipment: number | string;
    vehicle: number | string;
    pickup_eta: number;
    delivery_eta: number;
    lateness: number;
    breaks: string[];
  }[];
  readonly violations: { shipment: number | string | null; path: string; message: string }[];
}

/** Geneva's traffic: level by hour of the day, and half of it is lost speed. */
function factorAt(second: number): number {
  const hour = (second % 86_400) / 3600;
  const level = (hour >= 8 && hour < 9) || (hour >= 17 && hour < 18) ? 0.8 : hour >= 12 && hour < 14 ? 0.5 : 0.3;
  return 1 / (1 - 0.5 * level);
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function localSecond(at: number, zone = 'UTC'): number {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, timeStyle: 'medium' });
    clocks.set(zone, clock);
  }
  const [h, m, s] = clock
    .format(at * 1000)
    .split(':')
    .map(Number);
  return h * 3600 + m * 60 + s;
}

const RADIUS = 6371008.8;

/** Metres between places, on the plane about a latitude. */
function metres(a: readonly [number, number], b: readonly [number, number], latitude: number): number {
  const east = ((b[0] - a[0]) * Math.PI * RADIUS * Math.cos((latitude * Math.PI) / 180)) / 180;
  const north = ((b[1] - a[1]) * Math.PI * RADIUS) / 180;
  return Math.hypot(east, north);
}

/** @returns how many assignments were checked */
export function checkAnswer(asked: Asked, answer: Given): number {
  const { as_of: asOf, options = {} } = asked;
  const tolerance = options['late_tolerance'] ?? 900;
  const queue = options['queue'] ?? 3;
  const speed = (options['speed_kmh'] ?? 30) / 3.6;
  const perVehicle = options['assignments_per_vehicle'] ?? 1;
  // Clocks may be changed under way.
  const secondAt = (at: number): number => localSecond(at, asked.time_zone);
  const table = asked.matrices?.['car'] ?? asked.matrices_by_time?.['car'][0];
  const latitude = latitudeOf(asked, answer);

  // Exact but for places: the engine keeps metres in 32-bit floats, which moves a whole second now and then.
  const slackOf = table === undefined ? 1 : 0;
  const seconds = (a: Stop, b: Stop, at: number): number => {
    if (table === undefined) {
      return Math.round((metres(a.location!, b.location!, latitude) / speed) * factorAt(secondAt(at)));
    }
    const period = asked.matrices_by_time?.['car'].find(({ from, to }) => secondAt(at) >= from && secondAt(at) < to);
    const cell = (period ?? table).durations[a.location_index!][b.location_index!];
    return cell === null ? 10_000_000 : Math.round(cell);
  };

  /** Of a table: the first distance that is given, else the first duration at 30 km/h. */
  const distance = (a: Stop, b: Stop): number => {
    const tables = [...Object.values(asked.matrices ?? {}), ...Object.values(asked.matrices_by_time ?? {}).flat()];
    const cell = (rows?: (number | null)[][]): number | null => rows?.[a.location_index!][b.location_index!] ?? null;
    const given = tables.map(({ distances }) => cell(distances)).find((metres) => metres !== null);
    return Math.round(given ?? tables.map(({ durations }) => cell(durations)).find((one) => one !== null)! / 0.12);
  };

  // Every shipment has exactly one lot; those at fault are told so.
  const lots = [
    ...answer.assignments.map(({ shipment }) => shipment),
    ...answer.waiting.map(({ shipment }) => shipment),
    ...answer.unassigned.map(({ shipment }) => shipment),
    ...answer.locked.map(({ shipment }) => shipment),
  ];
  expect(new Set(lots).size).toBe(lots.length);
  const faulty = new Set(
    answer.violations.filter(({ path }) => path.startsWith('shipments')).map(({ path }) => path.split('.')[0]),
  );
  asked.shipments.forEach((shipment, k) => {
    const sound = !faulty.has(`shipments[${k}]`);
    const left = answer.violations.some(({ shipment: id, path }) => path.startsWith('vehicles') && id === shipment?.id);
    if (sound && !left) expect(lots).toContain(shipment.id);
  });

  const shipments = new Map(
    asked.shipments
      .filter((one) => typeof one === 'object' && one !== null && one.id !== undefined)
      .map((s) => [s.id, s]),
  );
  let checked = 0;
  for (const vehicle of asked.vehicles) {
    const busy = vehicle.status === 'busy' || (vehicle.free_at ?? 0) > asOf;
    const location = (busy ? vehicle.free_location : undefined) ?? vehicle.start;
    const index = (busy ? vehicle.free_location_index : undefined) ?? vehicle.start_index;
    let at: Stop = {
      ...(location === undefined ? {} : { location }),
      ...(index === undefined ? {} : { location_index: index }),
    };
    let free = Math.max(asOf, vehicle.free_at ?? 0, vehicle.time_window?.[0] ?? 0);
    let plan = vehicle.status === 'busy' ? 1 : 0;
    let slack = 0;
    const promises = answer.locked.filter((one) => one.vehicle === vehicle.id);
    const fresh = answer.assignments.filter((one) => one.vehicle === vehicle.id);
    const dropped = (vehicle.locked ?? []).some((id) => !promises.some(({ shipment }) => shipment === id));
    if (!dropped) expect(promises.map(({ shipment }) => shipment)).toEqual(vehicle.locked ?? []);
    if (vehicle.status === 'offline' || dropped) expect(fresh).toEqual([]);
    if (dropped) continue;
    expect(fresh.length).toBeLessThanOrEqual(perVehicle);
    for (const [k, one] of [...promises, ...fresh].entries()) {
      const promised = k < promises.length;
      const shipment = shipments.get(one.shipment)!;
      const { pickup, delivery } = shipment;
      const from = at;
      const windows = pickup.time_windows ?? [[0, asOf + 86_400]];
      const due = delivery.time_windows ?? [];
      const arrive = free + seconds(at, pickup, free);
      slack += slackOf;
      const begun = (picked: number): number => {
        const leave = picked + (pickup.service ?? 0);
        const there = leave + seconds(pickup, delivery, leave);
        return within(due, there) ?? there;
      };
      const keepsRest = (picked: number): boolean => {
        const served = begun(picked);
        const shift = vehicle.time_window?.[1] ?? Infinity;
        return isWithin(due, served) && served + (delivery.service ?? 0) <= shift;
      };
      /** For an arrival at `time`: the first window that can be kept, else late for the one before. */
      const expected = (time: number): number => {
        const inTime = within(windows, time);
        if (inTime === null || inTime === time || !windows.some(([, to]) => to < time)) return inTime ?? time;
        const tolerable = lateFor(windows, time) <= tolerance;
        const soon = inTime <= asOf + (options['horizon'] ?? 7200);
        if (soon && keepsRest(inTime)) return inTime;
        return tolerable || !(promised || soon) ? time : inTime;
      };
      // Where seconds differ, another window may be the first.
      const closest = Array.from({ length: 2 * slack + 1 }, (_, n) => expected(arrive - slack + n)).reduce((a, b) =>
        Math.abs(b - one.pickup_eta) < Math.abs(a - one.pickup_eta) ? b : a,
      );
      close(one.pickup_eta, closest, slack, asked, one);
      const picked = one.pickup_eta;
      const slackThere = slack;
      expect(one.lateness).toBe(lateFor(windows, picked));
      close(one.delivery_eta, begun(picked) + (delivery.service ?? 0), slackOf, asked, one);
      const served = one.delivery_eta - (delivery.service ?? 0);
      free = one.delivery_eta;
      at = delivery;
      slack = 0;
      plan++;
      if (promised) {
        const { breaks } = one as Given['locked'][number];
        expect(breaks.includes('window')).toBe(one.lateness > tolerance);
        expect(breaks.includes('delivery_window')).toBe(!isWithin(due, served));
        continue;
      }
      checked++;
      if (table !== undefined) {
        expect((one as Given['assignments'][number]).approach_distance).toBe(distance(from, pickup));
      }
      expect((vehicle.locked ?? []).includes(one.shipment)).toBe(false);
      expect(one.lateness).toBeLessThanOrEqual(tolerance);
      for (const skill of shipment.skills ?? []) expect((vehicle.skills ?? []).map(String)).toContain(String(skill));
      shipment.amount?.forEach((amount, n) => expect(amount).toBeLessThanOrEqual(vehicle.capacity?.[n] ?? 0));
      expect(isWithin(due, served)).toBe(true);
      if (vehicle.time_window !== undefined) expect(one.delivery_eta).toBeLessThanOrEqual(vehicle.time_window[1]);
      expect(plan).toBeLessThanOrEqual(queue);
      const horizon = asOf + (options['horizon'] ?? 7200);
      const left = windows.filter(([, to]) => to >= asOf - tolerance);
      if (left.length > 0) expect(Math.min(...left.map(([from]) => from))).toBeLessThanOrEqual(horizon);
      // Nobody waits for a window beyond it.
      if (beginOf(windows, picked - one.lateness) > horizon) close(picked, arrive, slackThere, asked, one);
    }
  }
  const locked = new Set(asked.vehicles.flatMap((vehicle) => vehicle.locked ?? []));
  for (const { shipment } of answer.assignments) expect(locked.has(shipment)).toBe(false);
  for (const { revisit_at: revisit, latest_safe: safe } of answer.waiting) {
    expect(revisit).toBeGreaterThanOrEqual(asOf);
    if (safe !== null) expect(revisit).toBeLessThanOrEqual(safe);
  }
  return checked;
}

function close(actual: number, expected: number, slack: number, asked: Asked, one: object): void {
  if (Math.abs(actual - expected) <= slack) return;
  throw new Error(`expected ${expected}, got ${actual}: ${JSON.stringify(one)} of ${JSON.stringify(asked)}`);
}

/** The first second from `at` on within a window, null if there is none. */
function within(windows: readonly [number, number][], at: number): number | null {
  const seconds = windows.filter(([, to]) => to >= at).map(([from]) => Math.max(from, at));
  return seconds.length === 0 ? null : Math.min(...seconds);
}

/** Without windows, any time is within. */
function isWithin(windows: readonly [number, number][], at: number): boolean {
  return windows.length === 0 || within(windows, at) === at;
}

/** When what is open at `at` began: windows that overlap or follow each other are one. */
function beginOf(windows: readonly [number, number][], at: number): number {
  const earlier = windows.filter(([from, to]) => from < at && to >= at - 1).map(([from]) => from);
  return earlier.length === 0 ? at : beginOf(windows, Math.min(...earlier));
}

/** Seconds after the last window that has begun. */
function lateFor(windows: readonly [number, number][], at: number): number {
  if (isWithin(windows, at)) return 0;
  return at - Math.max(...windows.map(([, to]) => to).filter((to) => to < at));
}

/** The plane is geneva's if all lies within it, else about the middle of what there is. */
function latitudeOf(asked: Asked, answer: Given): number {
  const faulty = new Set(answer.violations.map(({ path }) => path.split('.')[0]));
  const all = [
    ...asked.vehicles.flatMap(({ start, free_location: free }) => [start, free]),
    ...asked.shipments.flatMap((s, k) =>
      faulty.has(`shipments[${k}]`) ? [] : [s.pickup.location, s.delivery.location],
    ),
  ].filter((place) => place !== undefined);
  const inArea = all.every(([x, y]) => Math.abs(x - 6.1432) <= 0.1 && Math.abs(y - 46.2044) <= 0.1);
  const latitudes = all.map(([, y]) => y);
  return inArea ? 46.2044 : (Math.min(...latitudes) + Math.max(...latitudes)) / 2;
}
