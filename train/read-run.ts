// Reads a run's folder, for lists and reports. A run may be under way, and its last line half written; what is damaged otherwise is
// refused by file and line.

import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { wordToInfinity } from '../files/index.js';
import type { Evaluation } from '../workers/index.js';
import { TrainError } from './errors.js';
import { CONFIG_FILE, EVALUATION_FILE, METRICS_FILE, STARTS_FILE } from './run-folder.js';
import { RunLock } from './run-lock.js';
import type { StartRecord } from './start.js';

/** A line of metrics.jsonl. */
export type MetricsLine = Readonly<Record<string, number | null>>;

/** `finished`: all steps are done, or the run has an evaluation; `running`: a process works on it; else `interrupted`. */
export type RunState = 'finished' | 'running' | 'interrupted';

/** What a run's folder says. */
export interface RunRecord {
  /** Its folder, as it was given. */
  readonly path: string;
  readonly state: RunState;
  readonly scenario: string | null;
  readonly algorithm: string | null;
  readonly backend: string | null;
  readonly seed: number | null;
  /** Environment steps done, and asked for. */
  readonly steps: number;
  readonly totalSteps: number | null;
  /** Seconds of training. */
  readonly seconds: number;
  /** Mean return on the validation episodes at its end; null without an evaluation. */
  readonly meanReturn: number | null;
  /** Time of the latest change of its files, ISO 8601. */
  readonly changedAt: string;
  /** Content of config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly metrics: readonly MetricsLine[];
  /** The trained policy's first, then the rules'; empty without an evaluation. */
  readonly evaluations: readonly Evaluation[];
  /** When and where it was started and resumed, in order; a member that this version has may be missing. */
  readonly starts: readonly Partial<StartRecord>[];
}

/** Reads a run. @throws TrainError `ERR_CHECKPOINT` for a folder that is none, or whose files are damaged */
export function readRun(path: string): RunRecord {
  const configFile = join(path, CONFIG_FILE);
  const config = json(configFile, 'leave the run out');
  if (config === null) throw new TrainError('ERR_CHECKPOINT', `${path} is no run: it has no ${CONFIG_FILE}`);
  if (!isObject(config)) throw damaged(configFile, 'it must be one object in { }', 'leave the run out');
  const settings = (config['config'] ?? {}) as { readonly seed?: number; readonly totalSteps?: number };
  const { scenario } = config as { readonly scenario?: { readonly name?: string } };
  const metrics = linesOf<MetricsLine>(join(path, METRICS_FILE));
  metrics.forEach((line, k) => {
    const name = Object.keys(line).find((one) => line[one] !== null && typeof line[one] !== 'number');
    if (name === undefined) return;
    const found = JSON.stringify(line[name]);
    throw damaged(
      `${join(path, METRICS_FILE)}:${k + 1}`,
      `"${name}" is ${found}, expected a number or null`,
      DELETE_LINE,
    );
  });
  const evaluations = evaluationsOf(join(path, EVALUATION_FILE));
  const steps = metrics.reduce((most, line) => Math.max(most, line['global_step'] ?? 0), 0);
  const totalSteps = settings.totalSteps ?? null;
  const isDone = evaluations.length > 0 || (totalSteps !== null && steps >= totalSteps);
  const first = evaluations.at(0);
  return {
    path,
    state: RunLock.isHeld(path) ? 'running' : isDone ? 'finished' : 'interrupted',
    scenario: scenario?.name ?? null,
    algorithm: text(config['algorithm']),
    backend: text(config['backend']),
    seed: settings.seed ?? null,
    steps,
    totalSteps,
    seconds: metrics.reduce((sum, line) => sum + (line['seconds'] ?? 0), 0),
    meanReturn:
      first === undefined
        ? null
        : first.episodes.reduce((sum, episode) => sum + episode.return, 0) / first.episodes.length,
    changedAt: new Date(
      Math.max(...readdirSync(path).map((name) => statSync(join(path, name), { throwIfNoEntry: false })?.mtimeMs ?? 0)),
    ).toISOString(),
    config,
    metrics,
    evaluations,
    starts: linesOf<Partial<StartRecord>>(join(path, STARTS_FILE)),
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Null for a file that is not there. @param remedy for one that is damaged */
function json(file: string, remedy: string): unknown {
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8'), wordToInfinity);
  } catch (cause) {
    throw damaged(file, (cause as Error).message, remedy, cause);
  }
}

/** Remedies for what nobody can read. */
const DELETE_FILE = 'delete the file';
const DELETE_LINE = 'delete the line, or leave the run out';

/** The objects of a file of JSON Lines, one a line; without the last one if it is being written. */
function linesOf<T extends object>(file: string): T[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, k) => {
    if (line === '') return [];
    try {
      const value = JSON.parse(line) as unknown;
      if (!isObject(value)) throw new Error(`it holds ${line.slice(0, 40)}, expected an object in { }`);
      return [value as T];
    } catch (cause) {
      if (k === lines.length - 1) return [];
      throw damaged(`${file}:${k + 1}`, (cause as Error).message, DELETE_LINE, cause);
    }
  });
}

function evaluationsOf(file: string): readonly Evaluation[] {
  const value = json(file, DELETE_FILE) ?? [];
  if (!Array.isArray(value)) throw damaged(file, 'it must be a list in [ ]', DELETE_FILE);
  value.forEach((one: Partial<Evaluation> | null, k) => {
    const isWhole =
      typeof one?.policy === 'string' &&
      typeof one.meanReturn === 'number' &&
      Array.isArray(one.episodes) &&
      one.episodes.length > 0 &&
      (one.episodes as readonly unknown[]).every(
        (each) => isObject(each) && typeof each['return'] === 'number' && isObject(each['kpis']),
      ) &&
      isObject(one.kpis);
    if (!isWhole) throw damaged(file, `member ${k} is no evaluation of a policy`, DELETE_FILE);
  });
  return value as readonly Evaluation[];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(where: string, what: string, remedy: string, cause?: unknown): TrainError {
  return new TrainError('ERR_CHECKPOINT', `${where} is damaged: ${what}: ${remedy}`, { cause });
}
