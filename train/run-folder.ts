// A run's folder: config.json, metrics.jsonl, checkpoint.msgpack, evaluation.json.

import { appendFileSync, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { infinityToWord, makeFolder, writeFileAtomic } from '../trips/index.js';
import { TrainError } from './errors.js';

const METRICS = 'metrics.jsonl';

export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws TrainError `ERR_RUN_FOLDER` if there is something at `path` that a new run must not touch */
  static checkFree(path: string): void {
    // Missing, or below something that is no folder: making it will tell.
    if (!existsSync(path)) return;
    const found = statSync(path);
    if (!found.isDirectory()) throw new TrainError('ERR_RUN_FOLDER', `${path} is a file: give another --out`);
    if (readdirSync(path).length > 0) {
      throw new TrainError(
        'ERR_RUN_FOLDER',
        `${path} is not empty: give another --out, or go on with --resume ${path} if it is a run`,
      );
    }
  }

  /** @throws TrainError `ERR_RUN_FOLDER` if the folder is not free, or cannot be made */
  static create(path: string): RunFolder {
    RunFolder.checkFree(path);
    try {
      makeFolder(path);
    } catch (cause) {
      throw new TrainError('ERR_RUN_FOLDER', `cannot make ${path}: ${(cause as Error).message}`, { cause });
    }
    return new RunFolder(path);
  }

  static open(path: string): RunFolder {
    return new RunFolder(path);
  }

  writeJson(name: string, value: unknown): void {
    const text = JSON.stringify(value, infinityToWord, 2);
    writeFileAtomic(join(this.path, name), `${text}\n`);
  }

  appendMetrics(metrics: object): void {
    appendFileSync(join(this.path, METRICS), `${JSON.stringify(metrics)}\n`);
  }

  /** Drops metrics after `iteration`: a run that died after its last checkpoint lives through them again. */
  trimMetrics(iteration: number): void {
    const file = join(this.path, METRICS);
    if (!existsSync(file)) return;
    const kept = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => {
        try {
          return (JSON.parse(line) as { iteration: number }).iteration <= iteration;
        } catch {
          // The line that was being written when the run died.
          return false;
        }
      });
    writeFileAtomic(file, kept.map((line) => `${line}\n`).join(''));
  }
}
