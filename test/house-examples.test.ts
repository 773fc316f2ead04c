import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '..', 'examples');

/** What each example prints, to the letter; of training, which rounds by backend, the kinds of lines. */
const printed: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'act-on-record.js': [
    'ride 1: succeeded',
    'ride 1: succeeded, by the earlier try',
    'ride 2: succeeded',
    'ride 3: refused (limit)',
    'ride 4: refused (kill_switch)',
    'sent: ride 1, ride 2',
    'on record: refused, refused, succeeded, succeeded',
    'verify: ok, 4 actions, 21 entries',
  ],
  'check-env.js': [
    'ours: nothing found',
    "with the fault: finalObservation of environment 0, step 96: it is the next episode's first observation: expected the one on which the episode ended",
    "with the fault: finalObservation of environment 1, step 96: it is the next episode's first observation: expected the one on which the episode ended",
    "with the fault: finalObservation of environment 2, step 96: it is the next episode's first observation: expected the one on which the episode ended",
    'waiting for an hour: -2890, greedily: -1055',
  ],
  'own-policy.js': [
    'random: 92.1% served, 44.7% of these late',
    'most urgent first: 94.4% served, 18.7% of these late',
    'hungarian: 94.8% served, 18.6% of these late',
  ],
  'own-scenario.js': [
    '4 drivers: 52.1% served, mean return -3301 ± 506',
    '8 drivers: 79.2% served, mean return 1854 ± 487',
    '16 drivers: 94.8% served, mean return 5910 ± 477',
  ],
  'own-training.js': [
    ...Array.from({ length: 8 }, (_, k) => new RegExp(`^iteration ${k + 1}: mean return (-?\\d+|of no episode)$`)),
    /^iteration \d: \d+ ± \d+$/,
    'random: 461 ± 184',
    'hungarian: 4112 ± 316',
  ],
  'own-trips.js': [
    '840 of 841 trips can be used',
    '8 drivers, 15 hours in ticks of 60 seconds',
    'random: 100.0% served, 47.5% of these on time',
    'hungarian: 100.0% served, 95.0% of these on time',
  ],
  'recommend.js': [
    '1. clinic: van, pickup 09:01',
    '   pickup 18 min before its window ends',
    '   no other vehicle can take it',
    '2. station: taxi, pickup 09:05',
    '   pickup 25 min before its window ends',
    '   no other vehicle can take it',
    'not stretcher: needs skills',
  ],
};

const TRAINS = 'own-training.js';

describe('the examples', () => {
  // Loops on TensorFlow.js are longer, and have tests of their own: train-tensors.test.ts.
  const names = readdirSync(folder).filter((name) => !name.startsWith('tfjs-'));

  it('are all tested, short, and say what they show and how to run them', () => {
    expect(names).toEqual(Object.keys(printed));
    for (const name of names) {
      const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n');
      expect(lines.length, name).toBeLessThan(80);
      expect(lines.slice(0, 3).join(' '), name).toContain(`node examples/${name}`);
      // What a reader can import, too.
      for (const [, from] of lines.join('\n').matchAll(/from '([^']+)'/g))
        expect(from, name).toMatch(/^(node:|fleetstep\/)/);
    }
  });

  const outputs = new Map<string, Promise<{ stdout: string; stderr: string }>>();
  const outputOf = async (name: string): Promise<string[]> => {
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
    if (!outputs.has(name)) outputs.set(name, run(process.execPath, [join(folder, name)], { timeout: 540_000, env }));
    const { stdout, stderr } = await outputs.get(name)!;
    expect(stderr).toBe('');
    return stdout.trimEnd().split('\n');
  };

  // Training takes the longest: it comes with the test of what it has learned.
  it.each(names.filter((name) => name !== TRAINS))('%s prints what it should', async (name) => {
    await expectPrinted(name);
  });

  async function expectPrinted(name: string): Promise<void> {
    const expected = printed[name].map((line) =>
      typeof line === 'string' ? line : (expect.stringMatching(line) as string),
    );
    expect(await outputOf(name)).toEqual(expected);
  }

  it(`${TRAINS} prints what it should, and learns: it beats random clearly`, { tags: ['long'] }, async () => {
    await expectPrinted(TRAINS);
    const lines = (await outputOf(TRAINS)).slice(-3);
    const [trained, random] = lines.map((line) => Number(/: (-?\d+) ±/.exec(line)![1]));
    expect(trained).toBeGreaterThan(random + 2000);
  });
});
