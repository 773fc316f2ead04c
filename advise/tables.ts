// Tables of travel times: whether they are sound, and what the engine makes of them.

import { shownJson } from '../engine/index.js';
import type { MatrixTravel } from '../engine/index.js';
import { badField } from './errors.js';
import type { MatrixInput, MatrixPeriodInput, RecommendRequest, Table } from './request.js';
import { join } from './schema.js';

/** Where there is no way: later than the latest window. */
export const NO_WAY = 2_000_000_000;
/** Of a table without distances: 30 km/h. */
const METRES_PER_SECOND = 30 / 3.6;
/** Of a table's cells. */
const LONGEST = 1_000_000;

/** A request’s tables as the engine has them. */
export interface Tables {
  /** Seconds and metres from place to place, by period of the day if they differ. */
  readonly matrix: MatrixTravel;
  /** Number of places: rows and columns. */
  readonly places: number;
}

/** What is kept of the tables of a request, and how many places they are for. */
interface SoundTables extends Pick<RecommendRequest, 'matrices' | 'matrices_by_time'> {
  readonly places: number;
}

/**
 * Checks a profile's tables, and leaves out what an OSRM answer brings along.
 * @throws AdviseError `ERR_REQUEST` naming path, value and remedy
 */
export function checkTables({ matrices, matrices_by_time: byTime }: RecommendRequest, profile: string): SoundTables {
  const own = ofProfile(matrices, profile);
  const periods = ofProfile(byTime, profile);
  if (own === undefined && periods === undefined) {
    const found = [...new Set([matrices, byTime].flatMap((tables) => Object.keys(tables ?? {})))].join(', ');
    throw badField(
      'matrices',
      `has ${found === '' ? 'no profile' : `the profiles ${found}`}: expected ${profile}, the profile of the vehicles`,
    );
  }
  let places = own === undefined ? undefined : checkTable(own, `matrices.${profile}`);
  for (const [k, period] of (periods ?? []).entries()) {
    places = checkTable(period, `matrices_by_time.${profile}[${k}]`, places);
  }
  if (periods !== undefined) checkPeriods(periods, `matrices_by_time.${profile}`, own !== undefined);
  return {
    places: places!,
    ...(own === undefined ? {} : { matrices: { [profile]: bare(own) } }),
    ...(periods === undefined
      ? {}
      : { matrices_by_time: { [profile]: periods.map((one) => ({ from: one.from, to: one.to, ...bare(one) })) } }),
  };
}

/** Only what was sent: a profile may be called `constructor`. */
function ofProfile<T>(tables: Readonly<Record<string, T>> | undefined, profile: string): T | undefined {
  return tables !== undefined && Object.hasOwn(tables, profile) ? tables[profile] : undefined;
}

function bare({ durations, distances }: MatrixInput): MatrixInput {
  return distances === undefined ? { durations } : { durations, distances };
}

/**
 * Checks tables of one profile: square, of one size, of numbers.
 * @param expected the size, if it is known
 * @param name     what the durations are called, where they are something else
 * @returns the size
 * @throws AdviseError `ERR_REQUEST`
 */
export function checkTable(matrix: MatrixInput, at: string, expected?: number, name = 'durations'): number {
  const size = expected ?? matrix.durations.length;
  for (const field of ['durations', 'distances'] as const) {
    const rows: readonly unknown[] | undefined = matrix[field];
    if (rows === undefined) continue;
    const path = join(at, field === 'durations' ? name : field);
    if (rows.length !== size) throw badField(path, `has ${rows.length} rows: expected ${size}`);
    const lengths = rows.map((row) => (Array.isArray(row) ? row.length : -1));
    // Of all rows rather than of one: then it is the number of rows that is wrong.
    if (lengths[0] !== size && lengths.every((length) => length === lengths[0] && length >= 0)) {
      throw badField(path, `has ${size} rows of ${lengths[0]} numbers: expected as many rows as numbers in a row`);
    }
    for (let a = 0; a < size; a++) {
      const row = rows[a];
      if (!Array.isArray(row) || row.length !== size) {
        const found = Array.isArray(row) ? `has ${row.length} numbers` : `is ${shownJson(row)}`;
        throw badField(`${path}[${a}]`, `${found}: expected ${size}, the number of rows`);
      }
      for (let b = 0; b < size; b++) {
        const cell: unknown = row[b];
        if (cell === null || (typeof cell === 'number' && cell >= 0 && cell <= LONGEST)) continue;
        throw badField(`${path}[${a}][${b}]`, `is ${shownJson(cell)}: expected a number from 0 to ${LONGEST}, or null`);
      }
    }
  }
  const { durations, distances } = matrix;
  for (let a = 0; a < size && distances !== undefined; a++) {
    const b = durations[a].findIndex((seconds, k) => seconds === null && distances[a][k] !== null);
    if (b < 0) continue;
    const distance = `${join(at, 'distances')}[${a}][${b}]`;
    const remedy = `${distance} is ${distances[a][b]}: give the duration, or null in both where there is no route`;
    throw badField(`${join(at, 'durations')}[${a}][${b}]`, `is null, but ${remedy}`);
  }
  return size;
}

/** Parts of the day: whole minutes, none twice, and all of them unless another table holds for the rest. */
function checkPeriods(periods: readonly MatrixPeriodInput[], at: string, rest: boolean): void {
  const partOf = new Int8Array(1440).fill(-1);
  for (const [k, { from, to }] of periods.entries()) {
    for (const [field, second] of [
      ['from', from],
      ['to', to],
    ] as const) {
      if (second % 60 !== 0) {
        throw badField(
          `${at}[${k}].${field}`,
          `is ${second}: expected whole minutes, such as ${second - (second % 60)}`,
        );
      }
    }
    if (from >= to) {
      const remedy = `for a part over midnight give two, ${from} to 86400 and 0 to ${to}`;
      throw badField(`${at}[${k}].to`, `is ${to}: expected more than its "from" (${from}); ${remedy}`);
    }
    const minutes = partOf.subarray(from / 60, to / 60);
    const other = minutes.findIndex((part) => part >= 0);
    if (other >= 0) {
      throw badField(
        `${at}[${k}].from`,
        `is ${from}: ${from} to ${to} overlaps with ${at}[${minutes[other]}]; expected one table for each second`,
      );
    }
    minutes.fill(k);
  }
  const gap = partOf.indexOf(-1);
  if (!rest && gap >= 0) {
    const table = at.replace('_by_time', '');
    throw badField(at, `has no table for second ${60 * gap} of the day: give ${table} for the rest of the day`);
  }
}

/**
 * The request's tables, as the engine has them.
 * @param changed as from `changedMinutes`
 */
export function tablesOf(
  { vehicles, matrices, matrices_by_time: byTime }: RecommendRequest,
  changed: Uint16Array | null,
): Tables | null {
  const profile = vehicles[0]?.profile ?? 'car';
  const own = ofProfile(matrices, profile);
  const periods = ofProfile(byTime, profile);
  const first = own ?? periods?.[0];
  if (first === undefined) return null;
  const places = first.durations.length;
  const none = new Float32Array(places);
  // The first of the periods' tables is `first`.
  const byPeriod = periods === undefined ? undefined : periodsOf(own, periods, changed);
  return {
    places,
    matrix: {
      zones: places,
      seconds: byPeriod?.seconds[0] ?? flat(first.durations),
      ...(byPeriod === undefined ? {} : { periods: byPeriod }),
      metres: metresOf([...(own === undefined ? [] : [own]), ...(periods ?? [])], places),
      fares: new Int32Array(places * places),
      x: none,
      y: none,
    },
  };
}

function periodsOf(
  own: MatrixInput | undefined,
  periods: readonly MatrixPeriodInput[],
  changed: Uint16Array | null,
): NonNullable<MatrixTravel['periods']> {
  const tables = [...(own === undefined ? [] : [own]), ...periods];
  const shown = new Uint8Array(1440);
  for (const [k, { from, to }] of periods.entries()) shown.fill(k + tables.length - periods.length, from / 60, to / 60);
  return {
    ofMinute: changed === null ? shown : Uint8Array.from(changed, (minute) => shown[minute]),
    seconds: tables.map(({ durations }) => flat(durations)),
  };
}

function flat(rows: Table): Int32Array {
  const size = rows.length;
  const cells = new Int32Array(size * size);
  for (let a = 0; a < size; a++) {
    for (let b = 0; b < size; b++) {
      const cell = rows[a][b];
      cells[a * size + b] = cell === null ? NO_WAY : Math.round(cell);
    }
  }
  return cells;
}

/** One table for all times of day: the first distance that is given, else the first duration's; no way where all have none. */
function metresOf(tables: readonly MatrixInput[], size: number): Int32Array {
  const cells = new Int32Array(size * size).fill(NO_WAY);
  const layers = [
    ...tables.flatMap(({ distances }) => (distances === undefined ? [] : [{ rows: distances, factor: 1 }])),
    ...tables.map(({ durations }) => ({ rows: durations, factor: METRES_PER_SECOND })),
  ];
  for (const { rows, factor } of layers) {
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        const cell = rows[a][b];
        if (cell !== null && cells[a * size + b] === NO_WAY) cells[a * size + b] = Math.round(cell * factor);
      }
    }
  }
  return cells;
}

/** Whether the tables know, at all times of day, how to get from one place to another. */
export function hasWay({ matrix: { periods, seconds, zones } }: Tables, from: number, to: number): boolean {
  return (periods?.seconds ?? [seconds]).every((table) => table[from * zones + to] < NO_WAY);
}
