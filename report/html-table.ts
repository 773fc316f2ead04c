// Tables as HTML. Whatever stands in a cell is text that is escaped here, or HTML of our own.

import { escaped } from './episode-view.js';

/** Text; a number as text, which stands at the right; or HTML of our own. */
export type Cell = string | { readonly number: string } | { readonly html: string };

/** A table to be written. */
export interface TableParts {
  /** What it is about; no two tables of a page have the same. */
  readonly name: string;
  readonly head: readonly Cell[];
  /** In the order of `head`; the first cell of a row names it. */
  readonly rows: readonly (readonly Cell[])[];
  /** Numbers of rows that are set off. */
  readonly marked?: ReadonlySet<number>;
}

/** A table in a frame of its own that scrolls, by keys too. */
export function tableHtml({ name, head, rows, marked }: TableParts): string {
  const columns = head.map((cell) => `<th scope="col"${aligned(cell)}>${content(cell)}</th>`).join('');
  const body = rows.map((cells, row) => {
    const [first, ...rest] = cells;
    const others = rest.map((cell) => `<td${aligned(cell)}>${content(cell)}</td>`).join('');
    return `<tr${marked?.has(row) === true ? ' class="marked"' : ''}><th scope="row"${aligned(first)}>${content(first)}</th>${others}</tr>`;
  });
  return `<div class="tall" tabindex="0" role="region" aria-label="${escaped(`Table: ${name}`)}">
<table>
<thead><tr>${columns}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table>
</div>`;
}

function aligned(cell: Cell): string {
  return typeof cell === 'object' && 'number' in cell ? ' class="number"' : '';
}

function content(cell: Cell): string {
  if (typeof cell === 'string') return escaped(cell);
  return 'html' in cell ? cell.html : escaped(cell.number);
}

/** A number to four digits, `-` where there is none. */
export function figureCell(value: number | null | undefined): Cell {
  return { number: figureText(value) };
}

/** As `figureCell`, as text. */
export function figureText(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '-';
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString('en');
  const size = Math.abs(value);
  return size >= 1e7 || size < 1e-4
    ? value.toExponential(3)
    : Number(value.toPrecision(4)).toLocaleString('en', { maximumFractionDigits: 8 });
}

/** Longest text of a setting. */
const LONGEST_SETTING = 48;

/** A value of a setting, shortened. */
export function settingText(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return Number(value.toPrecision(6)).toString();
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST_SETTING ? `${text.slice(0, LONGEST_SETTING - 3)}...` : text;
}
