// The twins that the engine is measured against are the same problem: they write what the engine writes, byte by byte. Without a C compiler
// the tests of the one twin are skipped, without a Python with NumPy and Gymnasium those of the others, and say so; in CI they fail.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  checksumOf,
  compileTwin,
  dumpedOutputs,
  genevaOf,
  gymnasiumTwin,
  numpyTwin,
  rulesOf,
  shippedRules,
  writeTask,
} from '#bench/twins.js';
import type { Played, StartTwin, Task } from '#bench/twins.js';
import { Purpose, RandomStream, VectorDispatchEnv, adapt, compileScenario, preset } from '#engine/index.js';
import type { ObservationKind, OutputViews } from '#engine/index.js';
import { someAction } from './support/play.js';
import { describeWithPython, pythonProgram } from './support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'fleetstep-twins-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inC = await compileTwin(folder);
if (typeof inC === 'string') {
  if (process.env['CI'] === 'true') throw new Error(`no C compiler, and in CI these tests must run: ${inC}`);
  console.warn(`SKIPPED: tests of the engine's C twin, as ${inC}; CC may name a compiler`);
}

interface Case {
  readonly drivers: number;
  readonly slots: number;
  readonly envs: number;
  readonly seed: number;
  readonly observation: ObservationKind;
  readonly steps: number;
}

/** What the engine writes, reset first, under actions that are now and then illegal: each output of each step, and the task. */
function played(one: Case): { readonly task: Task; readonly outputs: Buffer[]; readonly checksum: number } {
  const { envs, seed, observation } = one;
  // A short day through a change of traffic, so that a few steps are many episodes.
  const compiled = adapt(genevaOf(one.drivers, one.slots), {
    startSecondOfDay: 7.5 * 3600 + 30,
    horizonSeconds: 10_800,
  });
  const env = new VectorDispatchEnv({ scenario: compiled, numEnvs: envs, observation });
  const { world } = env;
  const stream = new RandomStream(seed, Purpose.action);
  const tape: Int32Array[] = [];
  const outputs: Buffer[] = [];
  const keep = (): void => {
    for (const name of dumpedOutputs) {
      const { buffer, byteOffset, byteLength } = world.out[name];
      outputs.push(Buffer.from(new Uint8Array(buffer, byteOffset, byteLength)));
    }
  };
  env.reset({ seed });
  keep();
  for (let t = 0; t < one.steps; t++) {
    const actions = Int32Array.from({ length: envs }, (_, e) => someAction(world, e, stream, true));
    tape.push(actions);
    env.step(actions);
    keep();
  }
  return { task: { compiled, observation, seed, envs, tape }, outputs, checksum: checksumOf(world.out) };
}

/** Plays the task in a twin and compares all that it dumps; `names` are the outputs that it has, in its order. */
async function compare(start: StartTwin, one: Case, names: readonly (keyof OutputViews)[]): Promise<void> {
  const { task, outputs, checksum } = played(one);
  const file = join(folder, 'task');
  const dump = join(folder, 'dump');
  writeTask(file, task);
  const twin = start(file, dump);
  const first = await twin.ask<Played>('');
  const dumped = readFileSync(dump);
  const again = await twin.ask<Played>('');
  twin.close();
  let p = 0;
  for (const [k, expected] of outputs.entries()) {
    const name = dumpedOutputs[k % dumpedOutputs.length];
    if (!names.includes(name)) continue;
    const where = `${name} after step ${Math.floor(k / dumpedOutputs.length)}`;
    expect(dumped.subarray(p, (p += expected.length)).equals(expected), where).toBe(true);
  }
  expect(dumped).toHaveLength(p);
  expect(first.seconds).toBeGreaterThan(0);
  // Played again from the same reset, as benchmarks do; a twin that has not all outputs has another sum.
  expect(again.checksum).toBe(first.checksum);
  if (names === dumpedOutputs) expect(first.checksum).toBe(checksum);
  // Several episodes, so that outputs show more than a first one.
  expect(one.steps).toBeGreaterThan(2 * task.compiled.ticks);
}

const cases: readonly Case[] = [
  { drivers: 10, slots: 20, envs: 5, seed: 1, observation: 'classic', steps: 120 },
  { drivers: 10, slots: 20, envs: 5, seed: 2 ** 33 + 7, observation: 'full', steps: 120 },
  { drivers: 7, slots: 65, envs: 3, seed: 3, observation: 'full', steps: 120 },
  { drivers: 30, slots: 60, envs: 3, seed: 4, observation: 'classic', steps: 120 },
  { drivers: 100, slots: 200, envs: 2, seed: 5, observation: 'full', steps: 75 },
  // Slots that run out: bookings are refused.
  { drivers: 20, slots: 6, envs: 3, seed: 6, observation: 'full', steps: 120 },
];
const label = '$drivers x $slots, $envs environments, seed $seed, $observation';

describe.skipIf(typeof inC === 'string')('the C twin', () => {
  it.each(cases)(`writes the same bytes: ${label}`, (one) => compare(inC as StartTwin, one, dumpedOutputs));
});

describeWithPython('the twins in Python', () => {
  it.each(cases)(`in NumPy, vectorised, the same bytes: ${label}`, async (one) => {
    const start = await numpyTwin(pythonProgram);
    if (typeof start === 'string') throw new Error(start);
    await compare(start, one, dumpedOutputs);
  });

  it.each(cases)(`under SyncVectorEnv, the same observations, masks, rewards and flags: ${label}`, (one) =>
    compare(gymnasiumTwin(pythonProgram), one, dumpedOutputs.slice(0, 5)),
  );
});

describe('what twins play', () => {
  it('is geneva where no task says otherwise', () => {
    expect(readFileSync(shippedRules, 'utf8')).toBe(`${rulesOf(compileScenario(preset('geneva'))).join('\n')}\n`);
    expect(rulesOf(genevaOf(10, 20))).toEqual(rulesOf(compileScenario(preset('geneva'))));
  });

  it('has no rules that they do not know', () => {
    expect(() => rulesOf(compileScenario(preset('geneva-live')))).toThrow('"decisionsPerTick"');
    const { scenario } = genevaOf(10, 20);
    expect(() => rulesOf(compileScenario({ ...scenario, pickupServiceSeconds: 60 }))).toThrow('"pickupServiceSeconds"');
    expect(() => rulesOf(compileScenario({ ...scenario, queue: 9 }))).toThrow('queue');
  });

  it('in which a program that cannot be started is an error that names it', async () => {
    const twin = gymnasiumTwin('no-such-python')('task');
    await expect(twin.ask('')).rejects.toThrow('SyncVectorEnv ended before its answer');
  });
});
