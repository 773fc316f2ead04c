// Reads a run's folder, for lists and reports. A run may be under way, and its last line half written.

import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { wordToInfinity } from '../files/index.js';
import type { Evaluation } from '../workers/index.js';
import { TrainError } from './errors.js';
import { CONFIG_FILE, EVALUATION_FILE, METRICS_FILE } from './run-folder.js';
import { RunLock } from './run-lock.js';

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
}

/** Reads a run. @throws TrainError `ERR_CHECKPOINT` for a folder that is none, or whose files are damaged */
export function readRun(path: string): RunRecord {
  const config = json(join(path, CONFIG_FILE)) as Readonly<Record<string, unknown>> | null;
  if (config === null) throw new TrainError('ERR_CHECKPOINT', `${path} is no run: it has no ${CONFIG_FILE}`);
  const settings = (config['config'] ?? {}) as { readonly seed?: number; readonly totalSteps?: number };
  const { scenario } = config as { readonly scenario?: { readonly name?: string } };
  const metrics = linesOf(join(path, METRICS_FILE));
  const evaluations = (json(join(path, EVALUATION_FILE)) ?? []) as readonly Evaluation[];
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
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Null for a file that is not there. */
function json(file: string): unknown {
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8'), wordToInfinity);
  } catch (cause) {
    throw new TrainError('ERR_CHECKPOINT', `${file} is damaged: ${(cause as Error).message}`, { cause });
  }
}

function linesOf(file: string): MetricsLine[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as MetricsLine];
      } catch {
        // The line that is being written.
        return [];
      }
    });
}
