// A CSV file as checked rows: every complaint names file, line and column. Parsing itself is csv-parse's.

import { CsvError, parse } from 'csv-parse/sync';
import { didYouMean } from '../engine/index.js';
import { TripsError } from './errors.js';
import { readText } from './text-file.js';

/** A file's rows, and what they share. */
export class CsvTable {
  /** Path of the file, as given. */
  readonly file: string;
  /** Cells are divided by it: a comma, or a semicolon or tab, and then numbers may have a decimal comma. */
  readonly delimiter: string;
  /** Names of the columns that have one, without spaces around them. */
  readonly columns: readonly string[];
  /** Rows below the header, in the order of the file. */
  readonly rows: readonly CsvRow[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #headerLine: number;

  /**
   * Reads a CSV file with a header line. Lines may end in any way, also in several; those without content are left out.
   * @throws TripsError `ERR_DATA_MISSING` if there is no such file, `ERR_DATA_FORMAT` if it is not such a table
   */
  constructor(file: string) {
    this.file = file;
    const text = readText(file);
    this.delimiter = delimiterOf(text);
    const [header, ...records] = parseRecords(file, text, this.delimiter);
    if (header === undefined) throw new TripsError('ERR_DATA_FORMAT', `${file} is empty: expected a header line`);
    this.#headerLine = header.line;
    this.#places = this.#placesOf(header.cells);
    this.columns = [...this.#places.keys()];
    for (const { line, cells } of records) this.#checkLength(line, cells, header.cells);
    this.rows = records.map(({ line, cells }) => new CsvRow(this, line, cells));
  }

  /** Which cell stands under `column`; -1 if there is no such column. */
  placeOf(column: string): number {
    return this.#places.get(column) ?? -1;
  }

  /** @throws TripsError `ERR_DATA_FORMAT` if one is missing */
  require(columns: readonly string[]): void {
    for (const column of columns) {
      if (this.placeOf(column) < 0) throw this.missing(column);
    }
  }

  missing(column: string, remedy = ''): TripsError {
    const known = this.columns.map((name) => JSON.stringify(name)).join(', ');
    return new TripsError(
      'ERR_DATA_FORMAT',
      `${this.file}, line ${this.#headerLine}, column "${column}": missing${didYouMean(column, this.columns)}; the header has ${known}${remedy}`,
    );
  }

  #placesOf(header: readonly string[]): Map<string, number> {
    const places = new Map<string, number>();
    header.forEach((cell, k) => {
      const name = cell.trim();
      // The index column that pandas writes has no name.
      if (name === '') return;
      const first = places.get(name);
      if (first !== undefined) {
        throw new TripsError(
          'ERR_DATA_FORMAT',
          `${this.file}, line ${this.#headerLine}, column "${name}": doubled, it stands over cells ${first + 1} and ${k + 1}: rename or remove one`,
        );
      }
      places.set(name, k);
    });
    return places;
  }

  #checkLength(line: number, cells: readonly string[], header: readonly string[]): void {
    if (cells.length < header.length) {
      const column = header[cells.length].trim();
      throw new TripsError(
        'ERR_DATA_FORMAT',
        `${this.file}, line ${line}, column "${column}": missing, the line has ${count(cells.length, 'cell')}, the header ${header.length}`,
      );
    }
    const beyond = cells.findIndex((cell, k) => k >= header.length && cell.trim() !== '');
    if (beyond >= 0) {
      const sign = this.delimiter === '\t' ? 'a tab' : `"${this.delimiter}"`;
      throw new TripsError(
        'ERR_DATA_FORMAT',
        `${this.file}, line ${line}, column ${beyond + 1}: ${JSON.stringify(cells[beyond])} stands beyond the header's ${count(header.length, 'column')}: put cells that hold ${sign} in quotes`,
      );
    }
  }
}

/** One row of a table. Reading a cell checks it: a bad cell throws TripsError `ERR_DATA_FORMAT` with file, line and column. */
export class CsvRow {
  /** Line of the file on which the row begins, from 1. */
  readonly line: number;
  readonly #table: CsvTable;
  readonly #cells: readonly string[];

  constructor(table: CsvTable, line: number, cells: readonly string[]) {
    this.#table = table;
    this.line = line;
    this.#cells = cells;
  }

  /** The cell without spaces around it; empty if there is no such column. */
  text(column: string): string {
    return this.#cells[this.#table.placeOf(column)]?.trim() ?? '';
  }

  /** A finite number within [min, max]. */
  number(column: string, min: number, max: number): number {
    const text = this.text(column);
    const comma = this.#table.delimiter !== ',' && /^[+-]?\d*,\d+$/.test(text);
    const value = comma ? Number(text.replace(',', '.')) : numberOf(text);
    if (!(value >= min && value <= max)) {
      const hint = Number.isNaN(value) && /\d,\d/.test(text) ? ', with a point before decimals and no other sign' : '';
      throw this.fault(column, `expected a number from ${min} to ${max}${hint}`);
    }
    return value;
  }

  /** A whole number within [min, max]. */
  integer(column: string, min: number, max: number): number {
    const value = this.number(column, min, max);
    if (!Number.isInteger(value)) throw this.fault(column, `expected a whole number from ${min} to ${max}`);
    return value;
  }

  /** The error for a cell of this row: it names file, line, column, the cell and what was expected. */
  fault(column: string, expected: string): TripsError {
    const found = JSON.stringify(this.#cells[this.#table.placeOf(column)] ?? '');
    return new TripsError(
      'ERR_DATA_FORMAT',
      `${this.#table.file}, line ${this.line}, column "${column}": ${found}, ${expected}`,
    );
  }
}

/**
 * The rows of a CSV file with a header line that has at least `columns`.
 * @throws TripsError `ERR_DATA_MISSING` if there is no such file, `ERR_DATA_FORMAT` if it is not such a table
 */
export function readCsv(file: string, columns: readonly string[]): readonly CsvRow[] {
  const table = new CsvTable(file);
  table.require(columns);
  return table.rows;
}

/** A decimal number; NaN for anything else, also for what JavaScript would read, such as 0x10 or nothing. */
function numberOf(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

/** The one of comma, semicolon and tab that the first line has most of, outside quotes. */
function delimiterOf(text: string): string {
  const [header] = text.trimStart().split('\n', 1);
  const plain = header.replace(/"[^"]*"/g, '');
  const times = (sign: string): number => plain.split(sign).length;
  return [',', ';', '\t'].reduce((most, sign) => (times(sign) > times(most) ? sign : most));
}

interface Record {
  readonly line: number;
  readonly cells: readonly string[];
}

function parseRecords(file: string, text: string, delimiter: string): Record[] {
  try {
    const records = parse(text, {
      delimiter,
      record_delimiter: '\n',
      info: true,
      skip_empty_lines: true,
      // Spreadsheets write rows of nothing but delimiters.
      skip_records_with_empty_values: true,
      relax_column_count: true,
    }) as unknown as { record: string[]; info: { lines: number } }[];
    // The parser counts to the line on which a record ends.
    return records.map(({ record, info }) => ({
      line: info.lines - record.reduce((sum, cell) => sum + cell.split('\n').length - 1, 0),
      cells: record,
    }));
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const { lines, column } = cause as CsvError & { lines?: number; column?: number };
    const at =
      cause.code === 'CSV_QUOTE_NOT_CLOSED' ? openQuote(text, delimiter) : { line: lines ?? 1, column: column ?? 0 };
    const reason =
      cause.code === 'CSV_QUOTE_NOT_CLOSED'
        ? 'a quote is opened and never closed'
        : 'a quote stands within a cell: put the whole cell in quotes, and double those within';
    throw new TripsError('ERR_DATA_FORMAT', `${file}, line ${at.line}, column ${at.column + 1}: ${reason}`, { cause });
  }
}

/** Where the quote stands that is open at the end. */
function openQuote(text: string, delimiter: string): { line: number; column: number } {
  let line = 1;
  let column = 0;
  let opened = { line, column };
  let open = false;
  for (const sign of text) {
    if (sign === '"') {
      open = !open;
      if (open) opened = { line, column };
    }
    if (sign === '\n') line++;
    if (!open && sign === '\n') column = 0;
    else if (!open && sign === delimiter) column++;
  }
  return opened;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
