// A run's folder: config.json, metrics.jsonl and the same curves for TensorBoard, log.txt, starts.jsonl, checkpoint.msgpack,
// evaluation.json, of some runs replay-*.msgpack and best.msgpack; and while a process works on it, its lock.

import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FileError, infinityToWord, makeFolder, writeFileAtomic } from '../files/index.js';
import { TrainError } from './errors.js';
import { eventFileHeader, eventsUpTo, scalarEvent } from './event-file.js';
import { RunLock, isAlive, isLock } from './run-lock.js';

/** Name of the metrics within a run's folder: a line of JSON for each iteration. */
export const METRICS_FILE = 'metrics.jsonl';
/** What the process that works on the run has said, with times. */
const LOG = 'log.txt';
/** Where and with what the run was started, and each time resumed. */
export const STARTS_FILE = 'starts.jsonl';
/** How TensorBoard knows its files. */
const EVENTS = /^events\.out\.tfevents\./;
/** Name of the settings within a run's folder, for people and other programs. */
export const CONFIG_FILE = 'config.json';
/** Name of the evaluation within a run's folder. */
export const EVALUATION_FILE = 'evaluation.json';

/** Half-written files of a process that was killed. */
const TEMPORARY = /^\..*\.tmp$/;

/** A run's folder, locked for this process; close it after use. */
export class RunFolder {
  /** As it was given. */
  readonly path: string;
  readonly #lock: RunLock;
  #eventsFile: string | null = null;

  /** Locks the folder and removes half-written files. */
  private constructor(path: string) {
    this.path = path;
    this.#lock = RunLock.acquire(path);
    for (const name of readdirSync(path)) {
      if (TEMPORARY.test(name) && !isBeingWritten(name)) rmSync(join(path, name), { force: true });
    }
  }

  /**
   * @param remedy what to do where it is not
   * @throws TrainError `ERR_RUN_FOLDER` if there is something at `path` that a new run must not touch
   */
  static checkFree(
    path: string,
    remedy = `give another --out, or resume it with --resume ${path} if it is a run`,
  ): void {
    // If it is missing, or lies below a file, creating it reports any fault.
    if (!existsSync(path)) return;
    const found = statSync(path);
    if (!found.isDirectory()) throw new TrainError('ERR_RUN_FOLDER', `${path} is a file: give another --out`);
    // A process that was killed before its first checkpoint may leave these.
    if (readdirSync(path).some((name) => !isLock(name) && !TEMPORARY.test(name))) {
      throw new TrainError('ERR_RUN_FOLDER', `${path} is not empty: ${remedy}`);
    }
  }

  /** @throws TrainError `ERR_RUN_FOLDER` if the folder is not free or cannot be created, `ERR_RUN_LOCKED` */
  static create(path: string): RunFolder {
    RunFolder.checkFree(path);
    try {
      makeFolder(path);
    } catch (cause) {
      throw new TrainError('ERR_RUN_FOLDER', `cannot create ${path}: ${(cause as Error).message}`, { cause });
    }
    const folder = onDisk(path, () => new RunFolder(path));
    try {
      // Another process may have finished a run here in the meantime.
      RunFolder.checkFree(path);
    } catch (error) {
      folder.close();
      throw error;
    }
    return folder;
  }

  /** @throws TrainError `ERR_RUN_LOCKED` if another process works on it */
  static open(path: string): RunFolder {
    return onDisk(path, () => new RunFolder(path));
  }

  /** Unlocks the folder. */
  close(): void {
    this.#lock.release();
  }

  /** Whether the folder holds a file of this name. */
  has(name: string): boolean {
    return existsSync(join(this.path, name));
  }

  /** Writes a file whole or not at all. @throws TrainError `ERR_DISK` */
  writeJson(name: string, value: unknown): void {
    const file = join(this.path, name);
    const text = JSON.stringify(value, infinityToWord, 2);
    onDisk(file, () => writeFileAtomic(file, `${text}\n`));
  }

  /** Deletes a file, if it is there. @throws TrainError `ERR_DISK` */
  remove(name: string): void {
    const file = join(this.path, name);
    onDisk(file, () => rmSync(file, { force: true }));
  }

  /** Appends one line of JSON to `metrics.jsonl`, and its numbers to the file for TensorBoard. @throws TrainError `ERR_DISK` */
  appendMetrics(metrics: object): void {
    const file = join(this.path, METRICS_FILE);
    onDisk(file, () => appendFileSync(file, `${JSON.stringify(metrics)}\n`));
    const { iteration: _, global_step: step = 0, seconds: __, ...rest } = metrics as Record<string, unknown>;
    const numbers = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
    const now = Date.now() / 1000;
    this.#eventsFile ??= this.#events();
    if (this.#eventsFile === null) {
      this.#eventsFile = join(this.path, `events.out.tfevents.${Math.floor(now)}.fleetstep`);
      this.#append(this.#eventsFile, eventFileHeader(now));
    }
    this.#append(this.#eventsFile, scalarEvent(now, Number(step), Object.fromEntries(numbers)));
  }

  /** Appends a line to `log.txt`, with the time in UTC. @throws TrainError `ERR_DISK` */
  log(text: string): void {
    this.#append(join(this.path, LOG), `${new Date().toISOString()} ${text}\n`);
  }

  /** Appends a line of JSON to `starts.jsonl`. @throws TrainError `ERR_DISK` */
  recordStart(start: object): void {
    this.#append(join(this.path, STARTS_FILE), `${JSON.stringify(start)}\n`);
  }

  #append(file: string, data: string | Buffer): void {
    onDisk(file, () => appendFileSync(file, data));
  }

  /** The file for TensorBoard; null if there is none yet. */
  #events(): string | null {
    const name = readdirSync(this.path).find((one) => EVENTS.test(one));
    return name === undefined ? null : join(this.path, name);
  }

  /**
   * Drops the metrics after `iteration`, and evaluations after step `evaluatedAt`: a run that died after its last checkpoint
   * repeats those.
   */
  trimMetrics(iteration: number, evaluatedAt: number): void {
    const file = join(this.path, METRICS_FILE);
    if (!existsSync(file)) return;
    let lastStep = 0;
    const kept = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => {
        try {
          const metrics = JSON.parse(line) as { iteration: number; global_step: number };
          if ('eval/episodic_return' in metrics && metrics.global_step > evaluatedAt) return false;
          if (metrics.iteration > iteration) return false;
          lastStep = Math.max(lastStep, metrics.global_step);
          return true;
        } catch {
          // The line that was being written when the process died.
          return false;
        }
      });
    onDisk(file, () => writeFileAtomic(file, kept.map((line) => `${line}\n`).join('')));
    const events = this.#events();
    if (events !== null) onDisk(events, () => writeFileAtomic(events, eventsUpTo(readFileSync(events), lastStep)));
  }
}

/** Whether a living process is writing the file now, to claim the run: the name starts with its process number. */
function isBeingWritten(name: string): boolean {
  const pid = Number(/^\.(\d+)-/.exec(name)?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(pid) || pid === process.pid || pid < 1) return false;
  return isAlive(pid);
}

/**
 * Runs `write`, which writes `file`.
 * @throws TrainError `ERR_DISK` with the file's name if the system refuses
 */
export function onDisk<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause;
    const message = cause instanceof FileError ? cause.message : `cannot write ${file}: ${cause.message}`;
    throw new TrainError('ERR_DISK', message, { cause });
  }
}
