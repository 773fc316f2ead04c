// CSV files as programs and people write them: what is read right, and where the mistakes are said to be.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CsvTable } from '#trips/csv-table.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-csv-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = join(root, 'table.csv');

function table(content: string | Uint8Array): CsvTable {
  writeFileSync(file, content);
  return new CsvTable(file);
}
/** Line and numbers of each row. */
const numbers = (content: string | Uint8Array): number[][] =>
  table(content).rows.map((row) => [row.line, row.number('a', -1e9, 1e9), row.number('b', -1e9, 1e9)]);
const bigEndian = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

describe('a CSV file', () => {
  const right = [
    [2, 1, 2.5],
    [3, -3, 4000],
  ];
  it.each([
    ['with line feeds', 'a,b\n1,2.5\n-3,4e3\n'],
    ['of Windows', 'a,b\r\n1,2.5\r\n-3,4e3\r\n'],
    ['of old', 'a,b\r1,2.5\r-3,4e3'],
    ['with mixed line ends', 'a,b\r1,2.5\r\n-3,4e3\n'],
    ['with a byte order mark', '\ufeffa,b\n1,2.5\n-3,4e3'],
    ['in UTF-16', Buffer.from('\ufeffa,b\r\n1,2.5\r\n-3,4e3\r\n', 'utf16le')],
    ['in UTF-16, big end first', bigEndian('\ufeffa,b\n1,2.5\n-3,4e3')],
    ['with semicolons', 'a;b\n1;2.5\n-3;4e3'],
    ['with semicolons and decimal commas', 'a;b\n1;2,5\n-3;4000,0'],
    ['with tabs', 'a\tb\n1\t2,5\n-3\t4e3'],
    ['with quotes and spaces', '" a ",b\n"1", 2.5 \n -3,"4e3"'],
    ['with an unnamed index and trailing commas', ',a,b,,\n0,1,2.5,,\n1,-3,4e3,,,'],
    ['in another order', 'b,x,a\n2.5,"no, matter",1\n4e3,,-3'],
  ])('%s is read', (_, content) => {
    expect(numbers(content)).toEqual(right);
  });

  it('counts the lines that it passes over, whatever ends them, and those within quotes', () => {
    expect(numbers('a,b\r\n\r\n1,2\r\r,\n  \n3,4\n')).toEqual([
      [3, 1, 2],
      [7, 3, 4],
    ]);
    expect(numbers('\n\na,b,c\n1,2,"x\r\ny\rz"\n3,4,""\n').map(([line]) => line)).toEqual([4, 7]);
  });

  it.each<[string, string | Uint8Array, string | RegExp]>([
    [
      'a doubled column',
      'a,b,a\n1,2,3',
      'line 1, column "a": doubled, it stands over cells 1 and 3: rename or remove one',
    ],
    ['one that is doubled but for spaces', 'a,b, b \n1,2,3', 'line 1, column "b": doubled'],
    ['a short line', 'a,b,c\n1,2,3\r\n4\r5,6,7', 'line 3, column "b": missing, the line has 1 cell, the header 3'],
    [
      'a long line',
      'a,b\n1,2\n3,4,Rue 5, 6',
      'line 3, column 3: "Rue 5" stands beyond the header\'s 2 columns: put cells that hold "," in quotes',
    ],
    ['a quote that is never closed', 'a,b\n1,2\n3,"4\n5,6\n', 'line 3, column 2: a quote is opened and never closed'],
    ['a quote within a cell', 'a,b\n1,2\r\n3,4"5\n', 'line 3, column 2: a quote stands within a cell'],
    ['text after a quoted cell', 'a,b\n"1"x,2\n', 'line 2, column 1: a quote stands within a cell'],
    ['nothing', '', /table\.csv is empty: expected a header line$/],
    ['nothing but line ends', '\r\n\n\n', /is empty/],
    ['UTF-16 without a mark', Buffer.from('a,b\n1,2', 'utf16le'), 'is no text in UTF-8 (it holds zero bytes'],
    [
      'Latin-1',
      Buffer.from('a,b\n1,2\n\ufffd,Zürich', 'latin1'),
      'line 3: a character is no UTF-8: save the file as UTF-8',
    ],
    [
      'half a pair of UTF-16',
      Buffer.concat([Buffer.from('\ufeffa,b\n1,', 'utf16le'), Buffer.from([0x00, 0xd8, 0x20, 0x00])]),
      'a character is no UTF-16LE',
    ],
  ])('with %s is refused where it is', (_, content, message) => {
    expect(() => table(content)).toThrow(message);
  });

  it.each([
    ['', 'a,b\n1,2\n,3'],
    ['soon', 'a,b\n1,2\nsoon,3'],
    ['0x10', 'a,b\n1,2\n0x10,3'],
    ['Infinity', 'a,b\n1,2\nInfinity,3'],
    ['NaN', 'a;b\n1;2\nNaN;3'],
    ['1e400', 'a,b\n1,2\n1e400,3'],
    ['6,14', 'a,b\r1,2\r\n"6,14",3'],
    ['1.234,5', 'a;b\n1;2\n1.234,5;3'],
    ['1 234', 'a,b\n1,2\n1 234,3'],
  ])('says of the number %j in which line and column it stands', (text, content) => {
    const row = table(content).rows[1];
    expect(() => row.number('a', 0, 9)).toThrow(
      `table.csv, line 3, column "a": ${JSON.stringify(text)}, expected a number from 0 to 9${text.includes(',') ? ', with a point' : ''}`,
    );
  });

  it('says which column is missing, and which one may be meant', () => {
    expect(() => table('pickup_tme,b\n1,2').require(['b', 'pickup_time'])).toThrow(
      /line 1, column "pickup_time": missing \(did you mean "pickup_tme"\?\); the header has "pickup_tme", "b"$/,
    );
    expect(() => table('\n\na,b\n1,2').require(['constructor'])).toThrow(
      /line 3, column "constructor": missing; the header/,
    );
  });
});
