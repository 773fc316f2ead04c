// Requests of every kind, from a seed: plane and tables, tables by time, promises, shifts, loads, and shipments at fault.

import { Purpose, RandomStream } from '#engine/index.js';

type Json = Record<string, unknown>;

/** Sizes up to `most` vehicles and twice as many shipments. */
export function randomRequest(seed: number, most = 8): Json {
  const stream = new RandomStream(seed, Purpose.demand);
  const chance = (p: number): boolean => stream.integer(0, 999_999) < p * 1e6;
  const upTo = (value: number): number => stream.integer(0, value);
  const real = (low: number, high: number): number => low + ((high - low) * stream.integer(0, 1e6)) / 1e6;
  // Now and then in the hours before clocks are changed, in autumn and in spring.
  const change = chance(0.1) ? [1_761_440_400, 1_774_746_000, 1_772_953_200][upTo(2)] : null;
  const asOf = change === null ? 1_763_942_400 + upTo(86_399) : change - upTo(5400);
  const span = chance(0.8) ? 0.08 : 0.3;
  const place = (): number[] => [real(6.1432 - span, 6.1432 + span), real(46.2044 - span, 46.2044 + span)];
  const tables = chance(0.4);
  const places = stream.integer(2, 12);
  const at = (name: 'start' | 'free_location' | 'location'): Json =>
    tables
      ? {
          [`${name === 'location' ? 'location' : name}_index`]: upTo(places - 1),
          ...(chance(0.5) ? { [name]: place() } : {}),
        }
      : { [name]: place() };
  const pick = <T>(list: readonly T[]): T => list[upTo(list.length - 1)];
  const skills = (): Json => (chance(0.3) ? { skills: [pick(['wheelchair', 'stretcher', 7])] } : {});

  // In any order; some overlap, touch, are the same, or are over.
  const several = (start: number, length: number): number[][] => {
    const list = [[start, start + length]];
    const more = stream.integer(1, 3);
    for (let k = 0; k < more; k++) {
      const [from, to] = list[upTo(k)];
      const next = pick([from, to, to + 1, to + upTo(2400), from - upTo(3600), to + upTo(9000)]);
      list.splice(upTo(list.length), 0, [next, next + pick([0, to - from, upTo(1800)])]);
    }
    return list;
  };
  const shipments = Array.from({ length: upTo(2 * most) }, (_, k): Json => {
    const from = asOf + stream.integer(-1800, 9000);
    const window = (start: number, length: number): Json => ({
      time_windows: chance(0.7) ? [[start, start + length]] : several(start, length),
    });
    return {
      id: chance(0.5) ? 100 + k : `s-${k}`,
      pickup: {
        ...at('location'),
        ...(chance(0.9) ? window(from, stream.integer(0, 3600)) : {}),
        ...(chance(0.5) ? { service: upTo(300) } : {}),
      },
      delivery: {
        ...at('location'),
        ...(chance(0.2) ? window(from + stream.integer(0, 1200), stream.integer(600, 5400)) : {}),
        ...(chance(0.5) ? { service: upTo(300) } : {}),
      },
      ...skills(),
      ...(chance(0.2) ? { amount: [upTo(3), upTo(2)] } : {}),
      ...(chance(0.7) ? { priority: upTo(100) } : {}),
      ...(chance(0.3) ? { known_at: asOf - upTo(5000) } : {}),
    };
  });
  const free = shipments.map(({ id }) => id);
  const vehicles = Array.from({ length: upTo(most) }, (_, i): Json => {
    const locked: unknown[] = [];
    while (free.length > 0 && chance(0.25) && locked.length < 2) locked.push(free.splice(upTo(free.length - 1), 1)[0]);
    const status = pick(['available', 'available', 'busy', 'offline']);
    return {
      id: i,
      ...at('start'),
      ...skills(),
      ...(chance(0.5) ? { capacity: [stream.integer(1, 3), 1] } : {}),
      ...(chance(0.2) ? { time_window: [asOf - 3600 + upTo(5400), asOf + upTo(9000) + 1800] } : {}),
      ...(chance(0.7) ? { status } : {}),
      ...(status === 'busy' || chance(0.1) ? { free_at: asOf + upTo(2400), ...at('free_location') } : {}),
      ...(locked.length > 0 ? { locked } : {}),
      ...(chance(0.3) ? { load: upTo(9) } : {}),
      ...(chance(0.2) ? { kind: 'EMERGENCY' } : {}),
    };
  });
  const table = (): Json => {
    const cells = (most: number): unknown =>
      Array.from({ length: places }, (_, a) =>
        Array.from({ length: places }, (_, b) => (a === b ? 0 : chance(0.03) ? null : real(60, most))),
      );
    const durations = cells(1500) as (number | null)[][];
    // No way has no distance; a distance alone may be missing.
    const distances = (cells(12_000) as (number | null)[][]).map((row, a) =>
      row.map((metres, b) => (durations[a][b] === null ? null : metres)),
    );
    return { durations, ...(chance(0.5) ? { distances } : {}) };
  };
  const byTime = tables && chance(0.5);
  const shipmentsSent: unknown[] = shipments.map((shipment) => {
    if (!chance(0.05)) return shipment;
    return pick<unknown>([
      { ...shipment, pickup: { location: [200, 0] } },
      { ...shipment, skills: 'none' },
      { ...shipment, name: 'unknown field' },
      { ...shipment, id: undefined },
      { ...shipment, delivery: { ...(shipment['delivery'] as Json), time_windows: [[asOf + 10, asOf]] } },
      null,
      17,
    ]);
  });
  return {
    as_of: asOf,
    ...(chance(0.5) ? { time_zone: pick(['Europe/Zurich', 'UTC', 'America/New_York']) } : {}),
    ...(chance(0.5) ? { policy: pick(['planner', 'hungarian', 'nearest', 'edf', 'greedy', 'myopic']) } : {}),
    ...(chance(0.5)
      ? {
          options: {
            ...(chance(0.5) ? { late_tolerance: upTo(1800) } : {}),
            // Promises must fit: with a ride under way two more.
            queue: stream.integer(3, 5),
            ...(chance(0.5) ? { assignments_per_vehicle: stream.integer(1, 3) } : {}),
            ...(chance(0.3) ? { speed_kmh: stream.integer(15, 90) } : {}),
            ...(chance(0.3) ? { horizon: upTo(7200) } : {}),
          },
        }
      : {}),
    vehicles,
    shipments: shipmentsSent,
    ...(tables ? { matrices: { car: { ...table(), code: 'Ok', sources: [] } } } : {}),
    ...(byTime
      ? {
          matrices_by_time: {
            car: [
              { from: 0, to: 60 * upTo(600) + 60, ...table() },
              { from: 36_060 + 60 * upTo(100), to: 86_400, ...table() },
            ],
          },
        }
      : {}),
  };
}
