// The same scenario with more or less demand, and with a larger or smaller fleet: what a policy's advantage is worth when the day is
// not as planned.

import { Purpose, RandomStream, compileScenario } from '../engine/index.js';
import type { CompiledScenario, DayProfile, Dataset, FleetGroup, Trace } from '../engine/index.js';

/** Names of the variants. */
export const variantNames = ['demand x0.7', 'demand x1.3', 'fleet -20%', 'fleet +20%'] as const;
/** Name of a variant. */
export type VariantName = (typeof variantNames)[number];

const changes: Readonly<Record<VariantName, (compiled: CompiledScenario) => CompiledScenario>> = {
  'demand x0.7': (compiled) => withDemand(compiled, 0.7),
  'demand x1.3': (compiled) => withDemand(compiled, 1.3),
  'fleet -20%': (compiled) => withFleet(compiled, 0.8),
  'fleet +20%': (compiled) => withFleet(compiled, 1.2),
};

/** A variant of a scenario, with its data. */
export function variantOf(compiled: CompiledScenario, name: VariantName): CompiledScenario {
  return changes[name](compiled);
}

function withFleet({ scenario, dataset }: CompiledScenario, factor: number): CompiledScenario {
  const drivers = Math.max(1, Math.round(factor * scenario.drivers));
  const { fleet } = scenario;
  return compileScenario(
    { ...scenario, drivers, ...(fleet === undefined ? {} : { fleet: resized(fleet, drivers) }) },
    dataset,
  );
}

/** Each group by its share, so that there are `drivers` of all; groups without any are left out. */
function resized(fleet: readonly FleetGroup[], drivers: number): FleetGroup[] {
  const all = fleet.reduce((sum, group) => sum + group.drivers, 0);
  let [before, taken] = [0, 0];
  return fleet.flatMap((group) => {
    before += group.drivers;
    const count = Math.round((drivers * before) / all) - taken;
    taken += count;
    return count === 0 ? [] : [{ ...group, drivers: count }];
  });
}

/** Probabilities of a call are at most 1. */
function withDemand({ scenario, dataset }: CompiledScenario, factor: number): CompiledScenario {
  const { demand } = scenario;
  if (dataset !== null) return compileScenario(scenario, { ...dataset, trace: thinned(dataset, factor) });
  if (demand.kind !== 'synthetic') return compileScenario(scenario);
  const scaled = (level: number): number => Math.min(1, factor * level);
  const { base, parts } = demand.arrivalProbability;
  const arrivalProbability: DayProfile = {
    base: scaled(base),
    parts: parts.map((part) => ({ ...part, level: scaled(part.level) })),
  };
  const { prebooked } = demand;
  const [low, high] = prebooked?.bookings ?? [0, 0];
  const ordered =
    prebooked === undefined
      ? {}
      : { prebooked: { ...prebooked, bookings: [Math.round(factor * low), Math.round(factor * high)] as const } };
  return compileScenario({ ...scenario, demand: { ...demand, arrivalProbability, ...ordered } });
}

/** Each booking as often as `factor` says on average: left out, or twice. */
function thinned({ trace }: Dataset, factor: number): Trace {
  const stream = new RandomStream(1, Purpose.demand);
  const kept: number[] = [];
  const dayStart = new Int32Array(trace.dayStart.length);
  for (let day = 0; day < trace.days.length; day++) {
    for (let t = trace.dayStart[day]; t < trace.dayStart[day + 1]; t++) {
      const times = Math.floor(factor + stream.float());
      for (let k = 0; k < times; k++) kept.push(t);
    }
    dayStart[day + 1] = kept.length;
  }
  const ints = (column: Int32Array): Int32Array => Int32Array.from(kept, (t) => column[t]);
  const bytes = (column: Uint8Array): Uint8Array => Uint8Array.from(kept, (t) => column[t]);
  const floats = (column: Float32Array): Float32Array => Float32Array.from(kept, (t) => column[t]);
  const { places } = trace;
  return {
    days: trace.days,
    dayStart,
    knownAt: ints(trace.knownAt),
    windowStart: ints(trace.windowStart),
    windowEnd: ints(trace.windowEnd),
    pickupZone: ints(trace.pickupZone),
    dropoffZone: ints(trace.dropoffZone),
    ...(places === undefined
      ? {}
      : {
          places: {
            pickupX: floats(places.pickupX),
            pickupY: floats(places.pickupY),
            dropoffX: floats(places.dropoffX),
            dropoffY: floats(places.dropoffY),
          },
        }),
    metres: ints(trace.metres),
    fare: ints(trace.fare),
    priority: bytes(trace.priority),
    skills: bytes(trace.skills),
    leg: bytes(trace.leg),
  };
}
