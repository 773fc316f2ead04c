// Options that several commands share, and how their words become values.

import { statSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import { presetMeaning, presetNames, splits } from '../engine/index.js';
import { heuristicNames } from '../policy/index.js';
import { DEFAULT_HANG_SECONDS, MAX_SEED, defaultWorkers } from '../workers/index.js';

/** A parser for whole numbers within [min, max]; accepts 1e6 and 1_000_000. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text.replaceAll('_', ''));
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** A parser for paths: an empty one names nothing. */
export function path(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must be a path, and it is empty.');
  return text;
}

/** A parser for the path of a file that is written. */
export function outputFile(text: string): string {
  const file = path(text);
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new InvalidArgumentError(`It is a folder: give a file in it.`);
  }
  return file;
}

/** A parser for numbers above `min` and at most `max`. */
export function real(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value > min && value <= max)) {
      throw new InvalidArgumentError(`It must be a number above ${min} and at most ${max}.`);
    }
    return value;
  };
}

/** A parser for numbers from `min` to `max`, both included. */
export function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** `--scenario`: a built-in name or a scenario file; default `geneva`. */
export const scenarioOption = (): Option =>
  new Option(
    '--scenario <name|file.json>',
    `a scenario file, or: ${presetNames.map((name) => `${name} (${presetMeaning[name]})`).join('; ')}`,
  ).default('geneva');
/** `--data <path>`: where recorded trips are. */
export const dataOption = (): Option =>
  new Option('--data <path>', 'recorded trips: a clone of the benchmark, or what "fleetstep import" wrote').argParser(
    path,
  );
/** `--policy`: a heuristic, the look-ahead, or the folder of a training run; default `greedy`. */
export const policyOption = (): Option =>
  new Option(
    '--policy <name|run|file.js>',
    `${heuristicNames.join(', ')}, the folder of a training run, lookahead or lookahead:BASE (slow; BASE is a rule or a run), or a module of your own that exports a policy`,
  ).default('greedy');
/** `--split`: `validation` (default) or `test`. Training episodes are not held out. */
export const splitOption = (): Option =>
  new Option('--split <split>', 'which held-out episodes')
    .choices(splits.filter((split) => split !== 'training'))
    .default('validation');
/** `--seed <n>`: base seed, 0 to `MAX_SEED`; default 1. */
export const seedOption = (): Option => new Option('--seed <n>', 'base seed').argParser(whole(0, MAX_SEED)).default(1);
/** `--workers <n>`: threads, 1 to 256; default: one per core. */
export const workersOption = (): Option =>
  new Option('--workers <n>', 'worker threads').argParser(whole(1, 256)).default(defaultWorkers, 'one per core');
/** `--hang-seconds <n>`: longest wait for a step of a worker. */
export const hangSecondsOption = (): Option =>
  new Option('--hang-seconds <n>', 'give up if a worker makes no step for this many seconds')
    .argParser(whole(1))
    .default(DEFAULT_HANG_SECONDS);
/** `--json`: one JSON object on stdout instead of text. */
export const jsonOption = (): Option => new Option('--json', 'one JSON object on stdout, nothing else').default(false);
/** `--ui [port]`: true for any port that is free. */
export const uiOption = (): Option =>
  new Option(
    '--ui [port]',
    'serve the report of what is under way on 127.0.0.1 until it ends; without a port on one that is free',
  ).argParser(whole(1, 65_535));
