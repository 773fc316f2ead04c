// Perfect foresight: what no policy can earn more than on a recorded day, because it would have to know all requests of the day
// before. It is a bound, not a policy, and no observation ever sees it.
//
// The day is a flow of vehicles through nodes (zone, tick), at which plans end: they wait, or serve a request, each at most once.
// The flow may cut vehicles in parts and breaks some rules in its favour (a vehicle's plan may be longer than its queue), so its
// value is at least that of any policy. The linear programme is solved by HiGHS, but not trusted: from its dual prices we compute
// the bound ourselves, which holds for any prices (`boundOf`).

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompiledScenario, Dataset, MatrixTravel, Split } from '../engine/index.js';
import { makeFolder, writeFileAtomic } from '../files/index.js';
import { closeThreads, openThreads, runAll } from '../workers/index.js';
import { TrainError } from './errors.js';
import { canonical, datasetSha256 } from './identity.js';

/** Why there is no bound for a scenario: what of its rules the flow does not have; null where there is one. */
export function whyNoHindsight({ scenario, dataset }: CompiledScenario): string | null {
  const { name } = scenario;
  if (dataset === null || scenario.reward.kind !== 'fare') {
    return `there is no hindsight for ${name}: its rewards depend on all drivers' loads and on drawn demand, which is no linear programme; there is one for recorded trips paid by fares, such as nyc-small and nyc-large`;
  }
  const { travel, trace } = dataset;
  const tick = scenario.tickSeconds;
  const days = [trace.windowStart, trace.knownAt];
  const faults: readonly [boolean, string][] = [
    [travel === null, 'travel times come from a plane, not from a table of zones'],
    [travel?.periods !== undefined, 'travel times change within the day'],
    [travel?.seconds.some((seconds) => seconds % tick !== 0) === true, 'a travel time is no multiple of the tick'],
    [scenario.idleBoardingSeconds % tick !== 0, 'idleBoardingSeconds is no multiple of the tick'],
    [scenario.trafficSlowdown !== 0, 'trafficSlowdown is not 0'],
    [scenario.openUntil !== 'tickEnd', 'openUntil is not "tickEnd"'],
    [scenario.evaluationStart === 'random', 'evaluationStart is "random"'],
    [scenario.pickupServiceSeconds + scenario.dropoffServiceSeconds !== 0, 'pickups or drop-offs take time'],
    [scenario.skills.length > 0, 'there are skills'],
    [
      scenario.waitRewardPerOpen !== 0 ||
        scenario.expiryRewardPerPriority !== 0 ||
        scenario.refusalRewardPerPriority !== 0,
      'something but assignments is rewarded',
    ],
    [days[0].some((start, t) => start > days[1][t]), 'a window begins after its booking is known'],
  ];
  const found = faults.find(([is]) => is);
  return found === undefined ? null : `there is no hindsight for ${name}: ${found[1]}`;
}

/** A request of a day, in ticks. */
interface Request {
  readonly tick: number;
  readonly from: number;
  readonly to: number;
  /** Last tick of a pickup that is paid. */
  readonly deadline: number;
  /** In money. */
  readonly fare: number;
  readonly metres: number;
}

/** A day as the flow sees it; plain data that threads can be sent. */
export interface HindsightDay {
  readonly zones: number;
  /** `[zones, zones]` in ticks */
  readonly ticks: Int32Array;
  /** `[zones, zones]` */
  readonly metres: Int32Array;
  readonly costPerMetre: number;
  /** Ticks that an idle vehicle loses in the pickup's own zone. */
  readonly boarding: number;
  /** Vehicles in each zone at the start. */
  readonly starts: readonly number[];
  readonly requests: readonly Request[];
  /** Last tick at which a plan's end still matters. */
  readonly horizon: number;
}

/** The day of that index in the trace. The scenario has passed `whyNoHindsight`. */
export function hindsightDay({ scenario, dataset, ticks }: CompiledScenario, day: number): HindsightDay {
  const { trace, travel } = dataset as Dataset & { readonly travel: MatrixTravel };
  const { tickSeconds, slots, reward } = scenario;
  const inTick = new Map<number, number>();
  const requests: Request[] = [];
  for (let t = trace.dayStart[day]; t < trace.dayStart[day + 1]; t++) {
    const tick = Math.ceil(trace.knownAt[t] / tickSeconds);
    if (tick >= ticks) continue;
    const seen = inTick.get(tick) ?? 0;
    inTick.set(tick, seen + 1);
    // Those beyond the slots are refused.
    if (seen >= slots) continue;
    requests.push({
      tick,
      from: trace.pickupZone[t],
      to: trace.dropoffZone[t],
      deadline: Math.floor(trace.windowEnd[t] / tickSeconds),
      fare: trace.fare[t] / 1e4,
      metres: trace.metres[t],
    });
  }
  const starts = Array.from({ length: travel.zones }, () => 0);
  for (let i = 0; i < scenario.drivers; i++) {
    starts[scenario.evaluationStart === 'roundRobin' ? i % travel.zones : 0]++;
  }
  return {
    zones: travel.zones,
    ticks: travel.seconds.map((seconds) => seconds / tickSeconds),
    metres: travel.metres,
    costPerMetre: reward.kind === 'fare' ? Math.round(reward.costPerMetre * 1e4) / 1e4 : 0,
    boarding: scenario.idleBoardingSeconds / tickSeconds,
    starts,
    requests,
    horizon: requests.reduce((last, { deadline }) => Math.max(last, deadline), ticks),
  };
}

/** One way to serve a request: a vehicle whose plan ends in zone `zone` at tick `tick` takes it. */
export interface Service {
  readonly request: number;
  readonly zone: number;
  readonly tick: number;
  /** Where and when its plan ends then. */
  readonly toZone: number;
  readonly toTick: number;
  readonly profit: number;
}

/** Calls `each` for every way to serve every request: those that are paid, or those that are too late to be. */
export function eachService(day: HindsightDay, paid: boolean, each: (service: Service) => void): void {
  const { zones, ticks, metres, costPerMetre, boarding, horizon } = day;
  day.requests.forEach(({ tick: known, from, to, deadline, fare, metres: ride }, request) => {
    for (let zone = 0; zone < zones; zone++) {
      const leg = zone * zones + from;
      const profit = (paid ? fare : 0) - costPerMetre * (metres[leg] + ride);
      const first = paid ? known : Math.max(known, deadline - ticks[leg] + 1);
      const last = paid ? Math.min(horizon, deadline - ticks[leg]) : horizon;
      for (let tick = first; tick <= last; tick++) {
        const idle = tick === known && ticks[leg] === 0 ? boarding : 0;
        const toTick = tick + ticks[leg] + idle + ticks[from * zones + to];
        each({ request, zone, tick, toZone: to, toTick, profit });
      }
    }
  });
}

/**
 * The least that is certain to be no less than any policy earns, given what a vehicle is worth in each zone at each tick: what the
 * vehicles are worth at the start, and for each request the most that serving it adds to that. It holds for any prices that fall
 * with time and end at 0, because every plan is a sum of such steps.
 * @param prices `[zones, horizon + 1]`; made to fall with time here
 */
export function boundOf(day: HindsightDay, prices: Float64Array): { bound: number; best: (Service | null)[] } {
  const width = day.horizon + 1;
  for (let z = 0; z < day.zones; z++) {
    let least = 0;
    for (let t = day.horizon; t >= 0; t--) {
      least = Math.max(least, prices[z * width + t]);
      prices[z * width + t] = least;
    }
  }
  const gains = new Float64Array(day.requests.length);
  const best: (Service | null)[] = day.requests.map(() => null);
  const price = (zone: number, tick: number): number => (tick > day.horizon ? 0 : prices[zone * width + tick]);
  const consider = (service: Service): void => {
    const { request, zone, tick, toZone, toTick, profit } = service;
    const gain = profit + price(toZone, toTick) - price(zone, tick);
    if (gain <= gains[request]) return;
    gains[request] = gain;
    best[request] = service;
  };
  // Too late to be paid it may still pay, as a way to move.
  eachService(day, true, consider);
  eachService(day, false, consider);
  const atStart = day.starts.reduce((sum, count, z) => sum + count * prices[z * width], 0);
  return { bound: gains.reduce((sum, gain) => sum + gain, atStart), best };
}

/** Solves the programme of a day with some of its services; gives the prices. */
export type FlowSolver = (day: HindsightDay, services: readonly Service[]) => { value: number; prices: Float64Array };

/** Rounds in which services that pay and are not in the programme yet are added. */
const ROUNDS = 20;

/** The bound of a day, in money. */
export function solveDay(day: HindsightDay, solve: FlowSolver): number {
  const services: Service[] = [];
  eachService(day, true, (service) => services.push(service));
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const { value, prices } = solve(day, services);
    const { bound, best } = boundOf(day, prices);
    least = Math.min(least, bound);
    if (bound - value < 1e-6 * Math.max(1, Math.abs(value))) break;
    const known = new Set(services.map(nameOf));
    const others = best.filter((service) => service !== null && !known.has(nameOf(service))) as Service[];
    if (others.length === 0) break;
    services.push(...others);
  }
  return least;
}

function nameOf({ request, zone, tick }: Service): string {
  return `${request} ${zone} ${tick}`;
}

/** What is to be bounded. */
export interface HindsightRequest {
  readonly compiled: CompiledScenario;
  readonly split: Split;
  /** The first so many days of the split; default all. */
  readonly episodes?: number | undefined;
  /** Threads, 1 to 256; results do not depend on their number. */
  readonly workers: number;
  /** Folder in which bounds are kept from one call to the next; default: none. */
  readonly cache?: string | undefined;
  /** Whether nothing is computed: the result is null where a bound is not kept; default false. */
  readonly keptOnly?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called as days are done. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

const worker = fileURLToPath(new URL('./hindsight-worker.js', import.meta.url));

/** Changes with the model: bounds of another one are computed anew. */
const MODEL = 'hindsight-1';

/**
 * The bound of each day of a split, in their order.
 * @returns null if the signal aborted, or with `keptOnly` if one is not kept
 * @throws TrainError `ERR_TRAIN_OPTION` where `whyNoHindsight` says why there is none; `ERR_DISK`; WorkerError
 */
export async function hindsightBounds(request: HindsightRequest): Promise<Float64Array | null> {
  const { compiled, split, episodes, workers, cache, signal, progress } = request;
  const reason = whyNoHindsight(compiled);
  if (reason !== null) throw new TrainError('ERR_TRAIN_OPTION', reason);
  const dataset = compiled.dataset!;
  const days = dataset.splits[split].slice(0, episodes);
  const file = cache === undefined ? null : join(cache, `${keyOf(compiled)}.json`);
  const known = file === null ? {} : read(file);
  const bounds = days.map((day): number | undefined => known[dataset.trace.days[day]]);
  const missing = days.flatMap((_, k) => (bounds[k] === undefined ? [k] : []));
  let done = days.length - missing.length;
  progress?.(done, days.length);
  if (missing.length > 0) {
    if (request.keptOnly === true) return null;
    const aborted = (): boolean => signal?.aborted === true;
    if (aborted()) return null;
    const pool = openThreads(Math.min(workers, missing.length), null);
    const stop = (): void => void closeThreads(pool);
    signal?.addEventListener('abort', stop);
    try {
      const tasks = missing.map((k) => hindsightDay(compiled, days[k]));
      const solved = await runAll<HindsightDay, number>(pool, 'bound', tasks, {
        filename: worker,
        done: () => progress?.(++done, days.length),
      });
      missing.forEach((k, at) => (bounds[k] = solved[at]));
    } catch (error) {
      if (aborted()) return null;
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
      await closeThreads(pool);
    }
    if (file !== null) {
      const all = Object.fromEntries(days.map((day, k) => [dataset.trace.days[day], bounds[k]!]));
      keep(cache!, file, { ...read(file), ...all });
    }
  }
  return Float64Array.from(bounds as number[]);
}

/** Share of the way from greedy's mean to the bound's that a policy goes; null where there is no way. */
export function shareOfGap(mean: number, greedy: number, bound: number): number | null {
  return bound > greedy ? (mean - greedy) / (bound - greedy) : null;
}

function keyOf({ scenario, dataset }: CompiledScenario): string {
  const { name: _, ...rules } = scenario;
  return createHash('sha256')
    .update(`${MODEL} ${canonical(rules)} ${datasetSha256(dataset!)}`)
    .digest('hex')
    .slice(0, 32);
}

/** Kept bounds by day; what cannot be read is computed anew. */
function read(file: string): Readonly<Record<string, number>> {
  if (!existsSync(file)) return {};
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, number>>;
    return Object.fromEntries(Object.entries(found).filter(([, value]) => Number.isFinite(value)));
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function keep(folder: string, file: string, bounds: Readonly<Record<string, number>>): void {
  try {
    makeFolder(folder);
    writeFileAtomic(file, `${JSON.stringify(bounds)}\n`);
  } catch (cause) {
    throw new TrainError('ERR_DISK', `cannot write ${file}: ${(cause as Error).message}`, { cause });
  }
}
