// One process a run: of many that come at once exactly one has it, and those that were killed are no hindrance.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { RunFolder } from '#train/index.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-lock-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const lock = fileURLToPath(new URL('../dist/train/run-lock.js', import.meta.url));
const contender = `
  const { RunLock } = await import(${JSON.stringify(lock)});
  console.log('ready');
  process.stdin.once('data', () => {
    try {
      RunLock.acquire(${JSON.stringify(root)});
      console.log('has it');
    } catch (error) {
      console.log(error.code);
    }
  });`;

it('of four that come at once exactly one has the run, and after its death again', async () => {
  for (let round = 0; round < 3; round++) {
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', contender], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    const line = (child: (typeof children)[number]): Promise<string> =>
      new Promise((resolve) => child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim())));
    expect(await Promise.all(children.map(line))).toEqual(['ready', 'ready', 'ready', 'ready']);
    const answers = Promise.all(children.map(line));
    for (const child of children) child.stdin.write('go');
    expect((await answers).sort()).toEqual(['ERR_RUN_LOCKED', 'ERR_RUN_LOCKED', 'ERR_RUN_LOCKED', 'has it']);
    const gone = children.map((child) => new Promise((resolve) => child.on('exit', resolve)));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(gone);
    // The dead one's.
    expect(readdirSync(root)).toHaveLength(1);
  }
});

it('of another machine nothing is known: it is named, and what to do', () => {
  const run = join(root, 'elsewhere');
  mkdirSync(run);
  const holder = { pid: 1, host: 'elsewhere.example', began: null, since: '2026-01-01T00:00:00.000Z', held: true };
  const file = join(run, '.lock-0123456789abcdef');
  writeFileSync(file, JSON.stringify(holder));
  expect(() => RunFolder.open(run)).toThrow(
    `process 1 on elsewhere.example works on ${run} since 2026-01-01T00:00:00.000Z: wait for it or stop it; if it is gone, delete ${file}`,
  );
  // A number that another process has by now: it began at another time.
  writeFileSync(file, JSON.stringify({ ...holder, host: hostname(), pid: process.pid, began: 'long ago' }));
  const folder = RunFolder.open(run);
  expect(() => RunFolder.open(run)).toThrow(`process ${process.pid} on ${hostname()}`);
  folder.close();
  expect(readdirSync(run)).toEqual([]);
});
