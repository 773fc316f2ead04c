// Curves for TensorBoard. CI reads such a file with TensorBoard's own reader, too (test/support/check-events.py).

import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PbfReader } from 'pbf';
import { afterAll, expect, it } from 'vitest';
import { crc32c, eventFileHeader, eventsUpTo, scalarEvent } from '#train/index.js';
import { RunFolder } from '#train/run-folder.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-events-'));
afterAll(() => rmSync(root, { recursive: true }));

interface Event {
  wallTime: number;
  step: number;
  version: string;
  scalars: Record<string, number>;
}

/** All records of a file, which must be whole. */
function eventsOf(bytes: Buffer): Event[] {
  const events: Event[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 12 + Number(bytes.readBigUInt64LE(at));
    const event: Event = { wallTime: 0, step: 0, version: '', scalars: {} };
    const summary = (tag: number, _: null, pbf: PbfReader): void => {
      expect(tag).toBe(1);
      const value = { tag: '', number: Number.NaN };
      pbf.readMessage((field: number) => {
        if (field === 1) value.tag = pbf.readString();
        if (field === 2) value.number = pbf.readFloat();
      }, null);
      event.scalars[value.tag] = value.number;
    };
    new PbfReader(bytes.subarray(at + 12, end)).readFields((tag: number, _: null, pbf: PbfReader) => {
      if (tag === 1) event.wallTime = pbf.readDouble();
      else if (tag === 2) event.step = pbf.readVarint();
      else if (tag === 3) event.version = pbf.readString();
      else if (tag === 5) pbf.readMessage(summary, null);
      else throw new Error(`field ${tag}`);
    }, null);
    events.push(event);
    at = end + 4;
  }
  return events;
}

it('checksums are those of CRC-32C', () => {
  // RFC 3720, B.4.
  expect(crc32c(Buffer.from('123456789')).toString(16)).toBe('e3069283');
  expect(crc32c(Buffer.alloc(32)).toString(16)).toBe('8a9136aa');
  expect(crc32c(Buffer.alloc(32, 255)).toString(16)).toBe('62a8ab43');
});

it('a file holds its version, then the scalars of each step', () => {
  const scalars = { 'losses/entropy': 0.5, 'charts/SPS': 123456, 'losses/odd': Number.NaN };
  const bytes = Buffer.concat([eventFileHeader(1.5), scalarEvent(2.5, 4096, scalars), scalarEvent(3.5, 2 ** 40, {})]);
  expect(eventsOf(bytes)).toEqual([
    { wallTime: 1.5, step: 0, version: 'brain.Event:2', scalars: {} },
    { wallTime: 2.5, step: 4096, version: '', scalars },
    { wallTime: 3.5, step: 2 ** 40, version: '', scalars: {} },
  ]);
});

it('what follows the last step that is kept goes, and so does what is cut off or damaged', () => {
  const header = eventFileHeader(1);
  const [first, second] = [scalarEvent(2, 10, { a: 1 }), scalarEvent(3, 20, { a: 2 })];
  const whole = Buffer.concat([header, first, second]);
  expect(eventsUpTo(whole, 20)).toEqual(whole);
  expect(eventsUpTo(whole, 19)).toEqual(Buffer.concat([header, first]));
  for (let cut = 1; cut < second.length; cut++) {
    expect(eventsUpTo(whole.subarray(0, whole.length - cut), 20)).toEqual(Buffer.concat([header, first]));
  }
  for (let at = 0; at < second.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[header.length + first.length + at] ^= 16;
    expect(eventsUpTo(damaged, 20)).toEqual(Buffer.concat([header, first]));
  }
});

it('a run that goes on after it died repeats no step in it', () => {
  const run = join(root, 'run');
  const folder = RunFolder.create(run);
  for (let iteration = 1; iteration <= 4; iteration++) {
    const metrics = {
      iteration,
      global_step: iteration * 10,
      seconds: 1,
      'charts/SPS': iteration,
      'charts/none': null,
    };
    folder.appendMetrics(metrics);
  }
  folder.close();
  const [file] = readdirSync(run).filter((name) => name.includes('tfevents'));
  appendFileSync(join(run, file), 'half a rec');
  const again = RunFolder.open(run);
  again.trimMetrics(2, 0);
  again.appendMetrics({ iteration: 3, global_step: 30, 'charts/SPS': 33 });
  again.close();
  expect(readdirSync(run).filter((name) => name.includes('tfevents'))).toEqual([file]);
  const events = eventsOf(readFileSync(join(run, file)));
  expect(events.map(({ step, scalars }) => [step, scalars])).toEqual([
    [0, {}],
    [10, { 'charts/SPS': 1 }],
    [20, { 'charts/SPS': 2 }],
    [30, { 'charts/SPS': 33 }],
  ]);
});
