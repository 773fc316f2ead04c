// Studies that run: the same bytes with one process and with two, after kills of the trainings and of the study itself.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalRunner, StudyFolder, checkStudy, runStudy, studyIdentity, worldFor } from '#jobs/index.js';
import type { StudyTable } from '#jobs/index.js';
import { tinyStudy } from './support/tiny-study.js';

const study = checkStudy(tinyStudy, 'a test');
const identity = studyIdentity(worldFor(study));
let root: string;
let reference: StudyTable & { readonly resultsSha256: string };

type Ran = Awaited<ReturnType<typeof runStudy>>;

/** Runs the study, or what is left of it, in `name`. */
function run(
  name: string,
  { parallel = 1, onStart, signal }: { parallel?: number; onStart?: (pid: number) => void; signal?: AbortSignal } = {},
  resume = false,
): Promise<Ran> {
  const path = join(root, name);
  const folder = resume
    ? StudyFolder.open(path).folder
    : StudyFolder.create(path, { study, identity, limit: study.trials });
  return runStudy({
    study,
    identity,
    folder,
    limit: study.trials,
    runner: new LocalRunner({ folder, identity, parallel, workers: 1, silentSeconds: 120, onStart }),
    signal: signal ?? new AbortController().signal,
    onProgress: () => undefined,
  });
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'fleetstep-sweep-'));
  reference = (await run('reference'))!;
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('each trial comes to a rung, the best to the last, and every result is on file', () => {
  expect(reference.trials).toHaveLength(4);
  const best = reference.trials[reference.best!];
  expect(best.rungs.map(({ steps }) => steps)).toEqual([128, 384]);
  expect(best.rungs.at(-1)!.seeds).toHaveLength(2);
  const [first, second] = best.rungs.at(-1)!.seeds;
  if ('failure' in first || 'failure' in second) throw new Error('a training failed');
  expect(first.weightsSha256).not.toBe(second.weightsSha256);
  expect(best.rungs.at(-1)!.value).toBeCloseTo((first.meanReturn + second.meanReturn) / 2, 9);
  const saved = JSON.parse(readFileSync(join(root, 'reference', 'results.json'), 'utf8')) as { resultsSha256: string };
  expect(saved.resultsSha256).toBe(reference.resultsSha256);
});

test('two processes at the same time, of which every other one is killed, come to the same bytes', async () => {
  let kills = 0;
  const ran = await run('killed', {
    parallel: 2,
    onStart: (pid) => {
      // Every other one, some time after its start.
      if (kills++ % 2 === 0) setTimeout(() => tryKill(pid), 40 * kills);
    },
  });
  expect(kills).toBeGreaterThan(8);
  expect(ran).toEqual(reference);
});

test('a study that is stopped goes on to the same bytes', async () => {
  const stop = new AbortController();
  let started = 0;
  const first = await run('stopped', {
    parallel: 2,
    signal: stop.signal,
    onStart: () => {
      if (++started === 5) stop.abort();
    },
  });
  expect(first).toBeNull();
  expect(await run('stopped', { parallel: 2 }, true)).toEqual(reference);
});

const KILLED = 'the command itself may be killed at any moment; --resume ends it, with the line that scripts read';
test(KILLED, { tags: ['long'] }, async () => {
  const studyFile = join(root, 'study.json');
  writeFileSync(studyFile, JSON.stringify(tinyStudy));
  const out = join(root, 'command');
  const first = sweep(studyFile, '--out', out, '--json');
  // In its midst, however quick the machine is: some results are there, and others are not.
  const results = join(out, 'results');
  while (!existsSync(results) || readdirSync(results).length < 2)
    await new Promise((resolve) => setTimeout(resolve, 5));
  tryKill(first.pid);
  expect((await first.ended).code).toBeNull();
  const { code, stdout } = await sweep('--resume', out, '--json', '--parallel', '2').ended;
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  const line = JSON.parse(stdout) as Record<string, unknown>;
  const best = reference.trials[reference.best!];
  expect(line).toMatchObject({
    study: 'tiny',
    trials: 4,
    best: { trial: best.trial, value: best.rungs.at(-1)!.value, config: { ...tinyStudy.config, ...best.config } },
    resultsSha256: reference.resultsSha256,
  });
});

test('a folder that holds a study, or that holds none, is refused with the way on', async () => {
  const studyFile = join(root, 'study.json');
  writeFileSync(studyFile, JSON.stringify(tinyStudy));
  const taken = await sweep(studyFile, '--out', join(root, 'reference')).ended;
  expect(taken.code).toBe(2);
  expect(taken.stderr).toContain('holds a study: continue it with --resume, or give another --out');
  const none = await sweep('--resume', join(root, 'nowhere')).ended;
  expect(none.code).toBe(2);
  expect(none.stderr).toContain(`no study at ${join(root, 'nowhere')}`);
});

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function sweep(...args: string[]): {
  pid: number;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
} {
  const child = spawn(process.execPath, ['dist/cli/main.js', 'sweep', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { pid: child.pid!, ended };
}
