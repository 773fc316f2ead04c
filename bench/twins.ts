// Twins of the engine, in processes of their own: the same transition in C and in NumPy (anchors/), for scenarios that differ from
// `geneva` in numbers alone. Both play a tape of actions and write the same outputs to the last bit; test/bench-twins.test.ts compares them.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { compileScenario, preset } from '../engine/index.js';
import type { CompiledScenario, DayProfile, ObservationKind, OutputViews, Scenario } from '../engine/index.js';
import { LineProcess } from './line-process.js';

/** Bookings in a plan at most, in C. */
const MAX_QUEUE = 8;

/** What a twin plays: episodes under SAME_STEP, from a reset on. */
export interface Task {
  readonly compiled: CompiledScenario;
  readonly observation: ObservationKind;
  readonly seed: number;
  readonly envs: number;
  /** Of each step, one for each environment. */
  readonly tape: readonly Int32Array[];
}

/** What a twin says once it has played its tape. */
export interface Played {
  /** Of the steps alone. */
  readonly seconds: number;
  /** As `checksumOf`. */
  readonly checksum: number;
}

/** A twin in a process of its own, with one task. */
export type Twin = Pick<LineProcess, 'ask' | 'close'>;

/** Starts a twin on the task in the file; `dump` is where all outputs go the first time it plays. */
export type StartTwin = (task: string, dump?: string) => Twin;

/** The compiled benchmark lies in dist/bench, anchors beside its source. */
const anchor = (name: string): string => fileURLToPath(new URL(`../../bench/anchors/${name}`, import.meta.url));

/** The rules of `geneva` as `rulesOf` lists them, for programs without this one. */
export const shippedRules: string = anchor('geneva.txt');

const run = promisify(execFile);

/** No flag changes a bit: fusing is forbidden, and roots and conversions may be vectorised. */
const FLAGS = ['-O3', '-march=native', '-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math'];

/**
 * Compiles the C twin into a folder; `CC` names another compiler than `cc`.
 * @returns why there is none where it cannot be compiled
 */
export async function compileTwin(folder: string): Promise<StartTwin | string> {
  const compiler = process.env['CC'] ?? 'cc';
  const program = join(folder, 'dispatch');
  try {
    await run(compiler, [...FLAGS, '-o', program, anchor('dispatch.c'), '-lm']);
  } catch (error) {
    return `${compiler} does not compile bench/anchors/dispatch.c: ${firstLine(error)}`;
  }
  return (task, dump) => new LineProcess('C twin', program, dump === undefined ? [task] : [task, dump], 'inherit');
}

/**
 * The NumPy twin; `FLEETSTEP_PYTHON` names another Python than `python3`.
 * @returns why there is none where numpy cannot be imported
 */
export async function numpyTwin(python = process.env['FLEETSTEP_PYTHON'] ?? 'python3'): Promise<StartTwin | string> {
  try {
    await run(python, ['-c', 'import numpy']);
  } catch (error) {
    return `${python} cannot import numpy: ${firstLine(error)}`;
  }
  return pythonTwin('NumPy twin', python, 'dispatch_numpy.py');
}

/** Gymnasium's SyncVectorEnv over single environments in NumPy; it writes no final observations, and no figures. */
export function gymnasiumTwin(python: string): StartTwin {
  return pythonTwin('SyncVectorEnv', python, 'dispatch_gym.py');
}

function pythonTwin(name: string, python: string, file: string): StartTwin {
  // -B: no bytecode beside the sources.
  const args = ['-B', anchor(file)];
  return (task, dump) =>
    new LineProcess(name, python, dump === undefined ? [...args, task] : [...args, task, dump], 'inherit');
}

function firstLine(error: unknown): string {
  const { stderr = '', message } = error as Error & { readonly stderr?: string };
  return (stderr.trim().split('\n').at(-1) ?? '') || message.split('\n')[0];
}

/** Writes the file that twins read: lines of a name and its numbers, the line `tape`, and the actions `[steps, envs]` as int32. */
export function writeTask(path: string, { compiled, observation, seed, envs, tape }: Task): void {
  const lines = [
    ...rulesOf(compiled),
    `full ${observation === 'full' ? 1 : 0}`,
    `seed ${seed}`,
    `envs ${envs}`,
    `steps ${tape.length}`,
    'tape',
  ];
  const actions = tape.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
  writeFileSync(path, Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), ...actions]));
}

/**
 * A scenario's numbers as lines, each a name and its numbers.
 * @throws Error for rules that twins do not play
 */
export function rulesOf({ scenario, extentX, extentY }: CompiledScenario): string[] {
  const { drivers, slots, queue, demand, reward, travel } = scenario;
  if (demand.kind !== 'synthetic' || reward.kind !== 'weighted' || travel.kind !== 'plane') {
    throw new Error(`twins of the engine play no scenario such as "${scenario.name}"`);
  }
  const geneva = preset('geneva');
  const asThere: readonly (keyof Scenario)[] = [
    'skills',
    'horizonEnd',
    'decisionsPerTick',
    'assignmentsPerDriverPerTick',
    'openUntil',
    'pickupServiceSeconds',
    'dropoffServiceSeconds',
    'idleBoardingSeconds',
    'trainingStart',
  ];
  for (const name of asThere) {
    if (JSON.stringify(scenario[name]) === JSON.stringify(geneva[name])) continue;
    throw new Error(`twins of the engine play the rules of geneva, in which "${name}" is another`);
  }
  if (queue > MAX_QUEUE) throw new Error(`twins of the engine play with a queue of at most ${MAX_QUEUE}, not ${queue}`);
  const { weights } = reward;
  const numbers: Readonly<Record<string, readonly number[]>> = {
    drivers: [drivers],
    slots: [slots],
    queue: [queue],
    regularShare: [scenario.regularShare],
    startSecondOfDay: [scenario.startSecondOfDay],
    horizonSeconds: [scenario.horizonSeconds],
    tickSeconds: [scenario.tickSeconds],
    lateToleranceSeconds: [Math.min(scenario.lateToleranceSeconds, 2 ** 31 - 1)],
    metresPerSecond: [travel.speedKmh / 3.6],
    extentX: [extentX],
    extentY: [extentY],
    trafficSlowdown: [scenario.trafficSlowdown],
    traffic: profile(scenario.traffic),
    arrivalProbability: profile(demand.arrivalProbability),
    bookingsPerArrival: demand.bookingsPerArrival,
    initialBookings: demand.initialBookings,
    priorities: demand.priorities,
    urgentPriority: [demand.urgentPriority],
    urgentWindowMinutes: demand.urgentWindowMinutes,
    windowMinutes: demand.windowMinutes,
    returnShare: [demand.returnShare],
    weights: [weights.punctuality, weights.distance, weights.equity, weights.efficiency, weights.satisfaction],
    waitRewardPerOpen: [scenario.waitRewardPerOpen],
    invalidActionReward: [scenario.invalidActionReward],
    expiryRewardPerPriority: [scenario.expiryRewardPerPriority],
    refusalRewardPerPriority: [scenario.refusalRewardPerPriority],
  };
  return Object.entries(numbers).map(([name, values]) => `${name} ${values.join(' ')}`);
}

function profile({ base, parts }: DayProfile): number[] {
  return [base, ...parts.flatMap((part) => [part.fromSecondOfDay, part.toSecondOfDay, part.level])];
}

/** `geneva` with another number of drivers and slots, and with demand in proportion to the drivers. */
export function genevaOf(drivers: number, slots: number): CompiledScenario {
  const geneva = preset('geneva');
  if (geneva.demand.kind !== 'synthetic') throw new Error('geneva draws its demand');
  const scaled = ([low, high]: readonly [number, number]): readonly [number, number] => [
    Math.round((low * drivers) / geneva.drivers),
    Math.round((high * drivers) / geneva.drivers),
  ];
  const { bookingsPerArrival, initialBookings } = geneva.demand;
  return compileScenario({
    ...geneva,
    drivers,
    slots,
    demand: {
      ...geneva.demand,
      bookingsPerArrival: scaled(bookingsPerArrival),
      initialBookings: scaled(initialBookings),
    },
  });
}

/** Outputs in the order in which twins dump them. */
export const dumpedOutputs: readonly (keyof OutputViews)[] = [
  'observations',
  'actionMasks',
  'rewards',
  'terminations',
  'truncations',
  'invalidActions',
  'finalObservations',
  'finalActionMasks',
  'episodeReturns',
  'episodeLengths',
  'episodeKpis',
];

/** CRC-32 of observations, rewards and returns. */
export function checksumOf({ observations, rewards, episodeReturns }: OutputViews): number {
  let crc = 0;
  for (const { buffer, byteOffset, byteLength } of [observations, rewards, episodeReturns]) {
    crc = crc32(new Uint8Array(buffer, byteOffset, byteLength), crc);
  }
  return crc;
}
