// `simulate` with its files, and `verify`, by the command line.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';

let root: string;

function fleetstep(...args: string[]): Promise<Ended> {
  return runInProcess(args, { cwd: root });
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fleetstep-simulate-'));
});

afterAll(() => rmSync(root, { recursive: true }));

describe('simulate', () => {
  it('writes log, page and picture, and prints what it prints without them', async () => {
    const asked = ['simulate', '--policy', 'edf', '--json'];
    const plain = await fleetstep(...asked);
    const files = ['--events', 'a.jsonl', '--html', 'pages/a.html', '--svg', 'a.svg'];
    const { status, stdout, stderr } = await fleetstep(...asked, ...files);
    expect([status, stdout, stderr]).toEqual([0, plain.stdout, '']);
    expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['policy', 'scenario', 'id', 'return', 'kpis', 'events']);
    expect(readFileSync(join(root, 'pages/a.html'), 'utf8')).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(readFileSync(join(root, 'a.svg'), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    const lines = readFileSync(join(root, 'a.jsonl'), 'utf8').trimEnd().split('\n');
    expect(JSON.parse(lines[0])).toMatchObject({
      kind: 'header',
      format: 'fleetstep-episode',
      version: 1,
      id: 'validation-0',
      policy: 'edf',
      split: 'validation',
      episode: 0,
      seed: 1,
      matrix: null,
      scenario: { name: 'geneva', drivers: 10 },
    });
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({
      kind: 'end',
      return: (JSON.parse(stdout) as { return: number }).return,
    });
  });

  it('refuses a file without a name', async () => {
    for (const option of ['--html', '--svg']) {
      const { status, stderr } = await fleetstep('simulate', option, '');
      expect([status, stderr]).toEqual([2, expect.stringContaining('It must be a path, and it is empty.')]);
    }
  });

  it('writes a scenario without limits so that it can be read again', async () => {
    writeFileSync(
      join(root, 'free.json'),
      '{"extends": "geneva-live", "name": "free", "lateToleranceSeconds": "Infinity", "skills": [{"name": "lift", "driverShare": 0.5, "bookingShare": 0.3}]}',
    );
    expect((await fleetstep('simulate', '--scenario', 'free.json', '--events', 'free.jsonl')).status).toBe(0);
    expect((await fleetstep('verify', 'free.jsonl')).stdout).toMatch(
      /^free\.jsonl: free, episode validation-0, policy greedy: every rule holds; 96 ticks/,
    );
  });
});

it('docs/simulate.md names every kind of line with its members, in their order', async () => {
  const page = readFileSync(new URL('../docs/simulate.md', import.meta.url), 'utf8');
  const told = new Map<string, string[]>();
  for (const [, kinds, members] of page.matchAll(/^\| (`[^|]+) \| ([^|]+) \|/gm)) {
    const words = (text: string): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, word]) => word);
    for (const kind of words(kinds)) told.set(kind, words(members));
  }
  await fleetstep('simulate', '--events', 'c.jsonl');
  const lines = readFileSync(join(root, 'c.jsonl'), 'utf8').trimEnd().split('\n');
  const found = new Map<string, string[]>();
  for (const line of lines) {
    const { kind, ...members } = JSON.parse(line) as { kind: string };
    found.set(kind, Object.keys(members).sort());
  }
  for (const kind of ['refused', 'invalid']) expect(told.has(kind)).toBe(true);
  for (const [kind, members] of found) expect([kind, told.get(kind)?.toSorted()]).toEqual([kind, members]);
  expect(found.size).toBeGreaterThan(8);
});

describe('verify', () => {
  it('ends with 0 for a sound log, with 1 and the findings for one that is not, with 2 for what is no log', async () => {
    await fleetstep('simulate', '--policy', 'edf', '--events', 'b.jsonl');
    const sound = await fleetstep('verify', 'b.jsonl');
    expect([sound.status, sound.stderr]).toEqual([0, '']);
    expect(sound.stdout).toMatch(
      /^b\.jsonl: geneva, episode validation-0, policy edf: every rule holds; 96 ticks, \d+ bookings, \d+ assignments, return \d+\.\d\d\n$/,
    );

    const lines = readFileSync(join(root, 'b.jsonl'), 'utf8').split('\n');
    const at = lines.findIndex((line) => line.includes('"kind":"pickedUp"'));
    writeFileSync(join(root, 'spoilt.jsonl'), lines.toSpliced(at, 0, lines[at]).join('\n'));
    const spoilt = await fleetstep('verify', 'spoilt.jsonl');
    expect([spoilt.status, spoilt.stderr]).toEqual([1, '']);
    expect(spoilt.stdout).toMatch(
      new RegExp(
        `^spoilt\\.jsonl:${at + 2}: life: stage of booking \\d+ before it is picked up: found picked up, expected assigned\n`,
      ),
    );
    expect(spoilt.stdout).toMatch(/policy edf: 2 findings; 96 ticks, /);

    const told = await fleetstep('verify', 'spoilt.jsonl', '--json');
    expect(told.status).toBe(1);
    const { ok, findings } = JSON.parse(told.stdout) as { ok: boolean; findings: { line: number; rule: string }[] };
    expect([ok, findings.map(({ line, rule }) => [line, rule])]).toEqual([
      false,
      [
        [at + 2, 'life'],
        [at + 2, 'driver'],
      ],
    ]);

    writeFileSync(join(root, 'cut.jsonl'), lines.join('\n').slice(0, -10));
    expect(await fleetstep('verify', 'cut.jsonl')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(/^fleetstep: cut\.jsonl: line \d+: it is no JSON: /) as string,
    });
    expect(await fleetstep('verify', 'nowhere.jsonl')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^fleetstep: cannot read nowhere\.jsonl: ENOENT/) as string,
    });
    expect(await fleetstep('verify')).toMatchObject({ status: 2 });
  });
});
