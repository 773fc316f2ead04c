// A CSV file as checked rows: every complaint names file, line and column. Parsing itself is csv-parse's.

import { readFileSync } from 'node:fs';
import { CsvError, parse } from 'csv-parse/sync';
import { TripsError } from './errors.js';

export class CsvRow {
  readonly #file: string;
  readonly #line: number;
  readonly #cells: Readonly<Record<string, string>>;

  constructor(file: string, line: number, cells: Readonly<Record<string, string>>) {
    this.#file = file;
    this.#line = line;
    this.#cells = cells;
  }

  text(column: string): string {
    return this.#cells[column];
  }

  /** A finite number within [min, max]. */
  number(column: string, min: number, max: number): number {
    const text = this.#cells[column];
    const value = text.trim() === '' ? NaN : Number(text);
    if (!(value >= min && value <= max)) throw this.fault(column, `expected a number from ${min} to ${max}`);
    return value;
  }

  /** A whole number within [min, max]. */
  integer(column: string, min: number, max: number): number {
    const value = this.number(column, min, max);
    if (!Number.isInteger(value)) throw this.fault(column, `expected a whole number from ${min} to ${max}`);
    return value;
  }

  fault(column: string, expected: string): TripsError {
    const found = JSON.stringify(this.#cells[column]);
    return new TripsError(
      'ERR_DATA_FORMAT',
      `${this.#file}, line ${this.#line}, column "${column}": ${found}, ${expected}`,
    );
  }
}

/**
 * Reads a CSV file with a header line that has at least `columns`.
 * @throws TripsError `ERR_DATA_MISSING` if there is no such file, `ERR_DATA_FORMAT` if it is not such a table
 */
export function readCsv(file: string, columns: readonly string[]): CsvRow[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TripsError('ERR_DATA_MISSING', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  let header: string[] = [];
  try {
    const records = parse<{ record: Record<string, string>; info: { lines: number } }>(text, {
      bom: true,
      info: true,
      skip_empty_lines: true,
      columns: (names: string[]) => {
        header = names;
        // The index column that pandas writes has no name.
        return names.map((name) => (name === '' ? 'index' : name));
      },
    });
    for (const column of columns) {
      if (!header.includes(column)) {
        throw new TripsError(
          'ERR_DATA_FORMAT',
          `${file}, line 1, column "${column}": missing; the header has ${header.map((name) => JSON.stringify(name)).join(', ')}`,
        );
      }
    }
    return records.map(({ record, info }) => new CsvRow(file, info.lines, record));
  } catch (cause) {
    if (cause instanceof CsvError) {
      const { lines, column } = cause as CsvError & { lines?: number; column?: string | number };
      const where = typeof column === 'string' ? `column "${column}"` : `column ${String(column ?? '?')}`;
      throw new TripsError('ERR_DATA_FORMAT', `${file}, line ${lines ?? '?'}, ${where}: ${cause.message}`, { cause });
    }
    throw cause;
  }
}
