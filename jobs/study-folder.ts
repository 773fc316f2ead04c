// A study's folder: study.json (what was asked for), results/ (one file a slice, never written twice with other content),
// trials/ (the runs), and study-results.json at the end. What has happened is told by the results alone.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { infinityToWord, makeFolder, wordToInfinity, writeFileAtomic } from '../files/index.js';
import { JobsError } from './errors.js';
import type { Slice, SliceResult, StudyIdentity } from './slice.js';
import type { Study } from './study.js';

const STUDY_FILE = 'study.json';
const RESULTS_FILE = 'results.json';
const SLICES = 'results';
const TRIALS = 'trials';

/** What a study's folder says it is. */
export interface SavedStudy {
  readonly study: Study;
  readonly identity: StudyIdentity;
  /** Trials that begin at most; fewer than the study's where its minutes were over. */
  readonly limit: number;
}

/** The folder of one study. */
export class StudyFolder {
  /** As it was given. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws JobsError `ERR_STUDY_FOLDER` if there is something at `path` already; FileError */
  static create(path: string, saved: SavedStudy): StudyFolder {
    if (existsSync(path) && (!isFolder(path) || readdirSync(path).length > 0)) {
      throw new JobsError(
        'ERR_STUDY_FOLDER',
        existsSync(join(path, STUDY_FILE))
          ? `${path} holds a study: continue it with --resume, or give another --out`
          : `${path} is not an empty folder: give another --out`,
      );
    }
    const folder = new StudyFolder(path);
    // First: a folder that holds no study stays free for the next try.
    folder.save(saved);
    makeFolder(join(path, SLICES));
    makeFolder(join(path, TRIALS));
    return folder;
  }

  /** @throws JobsError `ERR_STUDY_FOLDER` if there is no study */
  static open(path: string): { readonly folder: StudyFolder; readonly saved: SavedStudy } {
    const file = join(path, STUDY_FILE);
    let saved: SavedStudy;
    try {
      saved = JSON.parse(readFileSync(file, 'utf8'), wordToInfinity) as SavedStudy;
    } catch (cause) {
      throw new JobsError(
        'ERR_STUDY_FOLDER',
        `no study at ${path}: ${cause instanceof SyntaxError ? `${file} is damaged: ` : ''}${(cause as Error).message}`,
        { cause },
      );
    }
    const { study, identity } = (saved ?? {}) as Partial<SavedStudy>;
    if (typeof study?.space !== 'object' || typeof identity !== 'object') {
      throw new JobsError(
        'ERR_STUDY_FOLDER',
        `no study at ${path}: ${file} is not what a sweep writes (it has no member "${typeof study?.space !== 'object' ? 'study' : 'identity'}"); give the folder that "fleetstep sweep" names`,
      );
    }
    return { folder: new StudyFolder(path), saved };
  }

  /** Writes `study.json`. */
  save(saved: SavedStudy): void {
    this.#write(STUDY_FILE, saved);
  }

  /** Where the runs lie. */
  get trials(): string {
    return join(this.path, TRIALS);
  }

  /** The folder of a trial's run with one seed. */
  runFolder(slice: Pick<Slice, 'trial' | 'seed'>): string {
    return join(this.path, TRIALS, runName(slice));
  }

  /** Result of a slice; undefined if there is none yet. */
  result(slice: Pick<Slice, 'trial' | 'seed' | 'rung'>): SliceResult | undefined {
    const file = join(this.path, SLICES, nameOf(slice));
    if (!existsSync(file)) return undefined;
    try {
      const result = JSON.parse(readFileSync(file, 'utf8'), wordToInfinity) as SliceResult;
      if ('failure' in result || (typeof result.meanReturn === 'number' && typeof result.kpis === 'object'))
        return result;
      throw new Error('it has neither "meanReturn" and "kpis" nor "failure"');
    } catch (cause) {
      throw new JobsError(
        'ERR_STUDY_FOLDER',
        `${file} is damaged (${(cause as Error).message}): delete it, and it is made again`,
        { cause },
      );
    }
  }

  /** Keeps the result of a slice. */
  keep(slice: Pick<Slice, 'trial' | 'seed' | 'rung'>, result: SliceResult): void {
    this.#write(join(SLICES, nameOf(slice)), result);
  }

  /** Writes the finished study's table; returns the SHA-256 over all trials' results in trial order. */
  finish(table: StudyTable): string {
    const resultsSha256 = tableSha256(table);
    this.#write(RESULTS_FILE, { resultsSha256, ...table });
    return resultsSha256;
  }

  /** The finished study's table; null before its end. @throws JobsError `ERR_STUDY_FOLDER` if its file is damaged */
  table(): (StudyTable & { readonly resultsSha256: string }) | null {
    const file = join(this.path, RESULTS_FILE);
    if (!existsSync(file)) return null;
    try {
      const table = JSON.parse(readFileSync(file, 'utf8'), wordToInfinity) as StudyTable & { resultsSha256: string };
      if (tableSha256(table) !== table.resultsSha256) throw new Error('its results are not those of its resultsSha256');
      return table;
    } catch (cause) {
      throw new JobsError(
        'ERR_STUDY_FOLDER',
        `${file} is damaged (${(cause as Error).message}): "fleetstep sweep --resume ${this.path}" writes it again`,
        { cause },
      );
    }
  }

  /** Forgets the table, as the study goes on. */
  reopen(): void {
    rmSync(join(this.path, RESULTS_FILE), { force: true });
  }

  #write(name: string, value: unknown): void {
    writeFileAtomic(join(this.path, name), `${JSON.stringify(value, infinityToWord, 2)}\n`);
  }
}

/** A trial in the finished study's table. */
export interface TrialRow {
  readonly trial: number;
  readonly config: Readonly<Record<string, unknown>>;
  /** One for each rung that it came through. */
  readonly rungs: readonly {
    readonly steps: number;
    readonly value: number | null;
    readonly violation: number;
    /** In the order of the study's seeds. */
    readonly seeds: readonly SliceResult[];
  }[];
}

/** All trials of a study, and the best of them. */
export interface StudyTable {
  readonly trials: readonly TrialRow[];
  /** Number of the best trial that broke no constraint; null if there is none. */
  readonly best: number | null;
  /** Share of each parameter in what makes good trials differ from the others; null where there are too few trials. */
  readonly importances: Readonly<Record<string, number>> | null;
}

/** The SHA-256 over all trials' results, in the order of the trials, as hexadecimal. */
export function tableSha256({ trials }: StudyTable): string {
  const hash = createHash('sha256');
  for (const row of trials) hash.update(`${JSON.stringify(row, infinityToWord)}\n`);
  return hash.digest('hex');
}

/** `t0007` */
export function trialName(trial: number): string {
  return `t${String(trial).padStart(4, '0')}`;
}

/** A trial's run with one seed: `t0007-s1` */
export function runName({ trial, seed }: Pick<Slice, 'trial' | 'seed'>): string {
  return `${trialName(trial)}-s${seed}`;
}

/** A slice within its study: `t0007-s1-r0` */
export function sliceKey(slice: Pick<Slice, 'trial' | 'seed' | 'rung'>): string {
  return `${runName(slice)}-r${slice.rung}`;
}

function nameOf(slice: Pick<Slice, 'trial' | 'seed' | 'rung'>): string {
  return `${sliceKey(slice)}.json`;
}

function isFolder(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}
