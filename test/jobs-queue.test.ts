// Studies through a queue: the same bytes as on one machine, whoever does the work, whoever dies or sleeps meanwhile, and nothing from
// whoever has lost its claim.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Purpose, RandomStream } from '#engine/index.js';
import { Deliveries, QueueStore, checkStudy, sliceKey, studyIdentity, studyKey, worldFor } from '#jobs/index.js';
import type { Slice, SliceResult } from '#jobs/index.js';
import { testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';
import { told } from './support/size.js';
import { tinyStudy } from './support/tiny-study.js';

const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
let database: TestDatabase;
let root: string;
/** The results of the same study without a queue; played once, where it is asked for. */
let reference: Promise<string> | undefined;
const expected = (): Promise<string> => (reference ??= sweep('alone').ended.then(shaOf));
const children: ChildProcess[] = [];

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const start = (...args: string[]): ReturnType<typeof startIn> => startIn(root, ...args);

function startIn(cwd: string, ...args: string[]): { child: ChildProcess; ended: Promise<Ended>; stderr: () => string } {
  const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return { child, ended, stderr: () => stderr };
}

const worker = (...more: string[]): ReturnType<typeof start> =>
  start('worker', '--queue', database.superuserUrl, '--parallel', '1', '--lease-seconds', '2', ...more);

/** A study of another name has results of its own in the queue. */
function sweep(name: string, ...more: string[]): ReturnType<typeof start> {
  return sweepOf({ ...tinyStudy, name }, ...more);
}

function sweepOf(study: typeof tinyStudy, ...more: string[]): ReturnType<typeof start> {
  const { name } = study;
  writeFileSync(join(root, `${name}.json`), JSON.stringify(study));
  return start('sweep', `${name}.json`, '--out', name, '--json', ...more);
}

/** What the study of that name is called in the queue. */
function keyOf(name: string): string {
  const study = checkStudy({ ...tinyStudy, name }, 'a test');
  return studyKey(name, study, studyIdentity(worldFor(study)));
}

const shaOf = ({ code, stdout, stderr }: Ended): string => {
  expect([code, stderr]).toEqual([0, '']);
  return (JSON.parse(stdout) as { resultsSha256: string }).resultsSha256;
};

/** By a queue, and by nobody but workers. */
const queued = (): string[] => ['--queue', database.superuserUrl, '--parallel', '0', '--lease-seconds', '2'];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fleetstep-queue-'));
  database = await testDatabase({ migrated: false });
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }
});
afterAll(async () => {
  await database.remove();
  rmSync(root, { recursive: true, force: true });
});

describe('a study through a queue', () => {
  it(
    'comes to the same bytes by this process alone, and leaves nothing for a second sweep to do',
    { tags: ['long'] },
    async () => {
      const way = ['--queue', database.superuserUrl, '--parallel', '2'];
      expect(shaOf(await sweep('one', ...way).ended)).toBe(await expected());
      // All is in the queue already: nobody needs to work.
      expect(shaOf(await start('sweep', 'one.json', '--out', 'again', '--json', ...queued()).ended)).toBe(
        await expected(),
      );
    },
  );

  it('of a scenario in files is done by a worker that has none of them', { tags: ['long'] }, async () => {
    mkdirSync(join(root, 'cities'));
    writeFileSync(join(root, 'cities', 'base.json'), JSON.stringify({ extends: 'geneva', drivers: 6 }));
    writeFileSync(join(root, 'cities', 'city.json'), JSON.stringify({ extends: 'base.json', slots: 12 }));
    const study = { ...tinyStudy, trials: 2, scenario: 'cities/city.json' };
    const alone = shaOf(await sweepOf({ ...study, name: 'city-alone' }).ended);
    const elsewhere = mkdtempSync(join(tmpdir(), 'fleetstep-elsewhere-'));
    const sweeping = sweepOf({ ...study, name: 'city-queued' }, ...queued());
    const store = await QueueStore.open(database.superuserUrl);
    try {
      const identity = studyIdentity(worldFor({ scenario: join(root, 'cities/city.json') }));
      const key = studyKey('city-queued', checkStudy({ ...study, name: 'city-queued' }, 'a test'), identity);
      while ((await store.states(key, [sliceKey({ trial: 0, seed: 1, rung: 0 })])).length === 0) await setTimeout(20);
      // From now on nobody has the files.
      renameSync(join(root, 'cities'), join(root, 'gone'));
      startIn(elsewhere, 'worker', '--queue', database.superuserUrl, '--parallel', '2', '--lease-seconds', '2');
      expect(shaOf(await sweeping.ended)).toBe(alone);
    } finally {
      await store.close();
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  const kills = 20;
  it(
    `comes to the same bytes by workers of which one sleeps, one leaves and others are killed, ${told(kills)} in all`,
    { tags: ['long'] },
    async () => {
      const stream = new RandomStream(5, Purpose.demand);
      const names = Array.from({ length: 3 }, (_, k) => `killed-${k}`);
      const store = await QueueStore.open(database.superuserUrl);
      let killed = 0;
      try {
        for (const [k, name] of names.entries()) {
          const sweeping = sweep(name, ...queued());
          let over = false;
          const ended = sweeping.ended.finally(() => (over = true));
          // Asleep with a slice in its hands.
          const sleeper = worker('--dir', `sleeper-${k}`);
          const first = sliceKey({ trial: 0, seed: 1, rung: 0 });
          const study = keyOf(name);
          while ((await store.states(study, [first])).at(0)?.state !== 'running') await setTimeout(10);
          sleeper.child.kill('SIGSTOP');
          // Leaves in order, after some work.
          const leaving = worker();
          while (!leaving.stderr().includes('done: ')) await setTimeout(20);
          leaving.child.kill('SIGINT');
          expect((await leaving.ended).code).toBe(130);
          expect(leaving.stderr()).toContain('leaving: trainings save a checkpoint');
          const workers = [worker(), worker()];
          const most = Math.ceil((kills * (k + 1)) / names.length);
          while (!over && killed < most) {
            await setTimeout(500 + 1500 * stream.float());
            if (over) break;
            const which = stream.integer(0, 1);
            workers[which].child.kill('SIGKILL');
            await workers[which].ended;
            killed++;
            workers[which] = worker();
          }
          expect(shaOf(await ended)).toBe(await expected());
          // Every trial exactly once.
          const results = readdirSync(join(root, name, 'results'));
          expect(results).toEqual(readdirSync(join(root, 'alone', 'results')));
          // When it wakes up, it has lost what it held, and changes nothing.
          const before = await store.states(study, [first]);
          expect(before).toMatchObject([{ state: 'done' }]);
          sleeper.child.kill('SIGCONT');
          while (!sleeper.stderr().includes('silent for too long')) await setTimeout(20);
          expect(await store.states(study, [first])).toEqual(before);
          for (const each of [...workers, sleeper]) each.child.kill('SIGTERM');
          for (const each of [...workers, sleeper]) expect((await each.ended).code).toBe(143);
        }
        expect(killed).toBeGreaterThan(0);
      } finally {
        await store.close();
      }
    },
  );
});

describe('the table of a queue', () => {
  const slice = { trial: 7, seed: 1, rung: 0, scenario: 'geneva', config: {}, toSteps: 10, episodes: 2 } as Slice;
  const identity = { fleetstep: '0', scenarioSha256: 'a', dataSha256: null };
  const result = { steps: 10, meanReturn: Infinity, kpis: {}, weightsSha256: 'b' } as unknown as SliceResult;
  const saved = (steps: number, text: string): { steps: number; files: { name: string; bytes: Uint8Array }[] } => ({
    steps,
    files: [
      { name: 'checkpoint.msgpack', bytes: Buffer.from(text) },
      // Two rows, and one for nothing.
      { name: 'replay-1.msgpack', bytes: Buffer.alloc(1_100_000, text) },
      { name: 'best.msgpack', bytes: Buffer.alloc(0) },
    ],
  });

  it('fences off who has lost a slice: no sign of life, no files and no result of its count', async () => {
    const store = await QueueStore.open(database.superuserUrl);
    try {
      const at = { study: 'fence', key: sliceKey(slice) };
      expect(await store.enqueue('fence', slice, identity)).toBe(true);
      expect(await store.enqueue('fence', slice, identity)).toBe(false);
      const first = (await store.claim(at, 'one'))!;
      expect(first).toMatchObject({ ...at, attempt: 1, slice, identity });
      expect(await store.claim(at, 'two')).toBeNull();
      expect(await store.beat(first, { steps: 3, meanReturn: null })).toBe(true);
      expect(await store.overdue(60)).toEqual([]);
      await setTimeout(30);
      expect(await store.overdue(0.02)).toContainEqual(at);
      const second = (await store.claim(at, 'two'))!;
      expect(second.attempt).toBeGreaterThan(first.attempt);
      expect(await store.beat(first, null)).toBe(false);
      expect(await store.finish(first, { result: { failure: 'from the dead' } }, saved(99, 'wrong'))).toBe(false);
      expect(await store.savedRun(second, 0)).toBeNull();
      // Given back with a checkpoint, which the next one takes over, to the byte.
      expect(await store.finish(second, null, saved(5, 'half'))).toBe(true);
      const third = (await store.claim(at, 'three'))!;
      expect(await store.savedRun(third, 5)).toBeNull();
      const files = (await store.savedRun(third, 4))!;
      expect(new Map(files.map(({ name, bytes }) => [name, Buffer.from(bytes)]))).toEqual(
        new Map(saved(5, 'half').files.map(({ name, bytes }) => [name, Buffer.from(bytes)])),
      );
      expect(await store.finish(third, { result }, null)).toBe(true);
      expect(await store.states('fence', [at.key, 'nothing'])).toEqual([
        { key: at.key, state: 'done', result, fault: null, progress: null, refusal: null },
      ]);
      expect(await store.claim(at, 'four')).toBeNull();
      expect(await store.enqueue('fence', slice, identity)).toBe(false);
    } finally {
      await store.close();
    }
  });

  it('hands out a slice that has failed only when it is asked for again', async () => {
    const store = await QueueStore.open(database.superuserUrl);
    try {
      const at = { study: 'failing', key: sliceKey(slice) };
      await store.enqueue('failing', slice, identity);
      const claim = (await store.claim(at, 'one'))!;
      expect(await store.finish(claim, { fault: 'it cannot be' }, null)).toBe(true);
      expect(await store.states('failing', [at.key])).toMatchObject([{ state: 'failed', fault: 'it cannot be' }]);
      expect(await store.claim(at, 'two')).toBeNull();
      expect(await store.enqueue('failing', slice, identity)).toBe(true);
      expect(await store.claim(at, 'two')).toMatchObject({ slice });
    } finally {
      await store.close();
    }
  });

  it('a worker of another version refuses the work, says why, and another one may have it', async () => {
    const store = await QueueStore.open(database.superuserUrl);
    try {
      await store.enqueue('foreign', slice, identity);
      const deliveries = await Deliveries.open(database.superuserUrl, () => undefined);
      await deliveries.send({ study: 'foreign', key: sliceKey(slice) });
      await deliveries.close();
      const refusing = worker();
      const at = [sliceKey(slice)];
      for (;;) {
        const [state] = await store.states('foreign', at);
        if (state.refusal !== null) {
          expect(state.refusal).toMatch(
            /^worker w\d+-\w+ refuses study foreign: .*another version of fleetstep: 0 there/,
          );
          break;
        }
        await setTimeout(50);
      }
      expect(refusing.stderr()).toContain('refuses study foreign');
      refusing.child.kill('SIGTERM');
      expect((await refusing.ended).code).toBe(143);
    } finally {
      await store.close();
    }
  });
});

describe('a queue that cannot be reached', () => {
  it.each([
    [['sweep', 'alone.json', '--out', 'none', '--queue', 'nowhere'], 2, /It must be postgres:\/\//],
    [['worker', '--queue', 'postgres://x:y@127.0.0.1:1/z'], 1, /fleetstep: the queue's database: .*ECONNREFUSED/],
    [['sweep', 'alone.json', '--out', 'none', '--parallel', '0'], 2, /without --queue nobody would do the work/],
  ])('%j is told in a line', async (args, code, message) => {
    const ended = await start(...args).ended;
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    expect(ended.code).toBe(code);
  });
});
