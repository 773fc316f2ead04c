// The command line as scripts use it: contracts on stdout, one clear line and exit code 2 for mistakes, faults survived.

import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kpiNames } from '#engine/index.js';
import { algorithmNames } from '#train/index.js';
import { Control } from '#train/shards.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const benchMain = fileURLToPath(new URL('../dist/bench/main.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'fleetstep-cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function fleetstep(...args: string[]): Promise<Ended> {
  return runInProcess(args, { cwd: root });
}

const quick = [
  '--steps',
  '2000',
  '--envs',
  '8',
  '--rollout-steps',
  '32',
  '--minibatch',
  '128',
  '--backend',
  'wasm',
  '--eval-episodes',
  '6',
];

/** Files of a run that has not been evaluated, sorted. */
const unevaluated: readonly unknown[] = [
  'checkpoint.msgpack',
  'config.json',
  expect.stringMatching(/^events\.out\.tfevents\.\d+\.fleetstep$/),
  'log.txt',
  'metrics.jsonl',
  'starts.jsonl',
];

/** Ends by what happens to it alone. */
const endless = [
  ...['--steps', '1e9', '--envs', '8', '--rollout-steps', '32', '--minibatch', '128'],
  ...['--backend', 'wasm', '--eval-episodes', '0'],
];

interface TrainSummary {
  readonly run: string;
  readonly steps: number;
  readonly weightsSha256: string;
}

/** An environment in which each process preloads `text`. */
function preloading(name: string, text: string): NodeJS.ProcessEnv {
  const file = join(root, `${name}.cjs`);
  writeFileSync(file, text);
  return { ...process.env, NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --require ${file}` };
}

/** An environment in which worker threads act in a task: within step 300 of it, or with the 30th shard that they take in learning. */
function sabotage(name: string, act: string, task?: string): NodeJS.ProcessEnv {
  if (task === 'learn') {
    return preloading(
      name,
      `if (!require('node:worker_threads').isMainThread) {
        const { add } = Atomics;
        let shards = 0;
        Atomics.add = (words, at, more) => {
          const before = add(words, at, more);
          if (words.length === ${Control.words} && at === ${Control.next} && ++shards === 30) { ${act} }
          return before;
        };
      }`,
    );
  }
  return preloading(
    name,
    `if (!require('node:worker_threads').isMainThread) {
      const { add } = Atomics;
      let steps = 0;
      const isThere = () => ${task !== 'force'} || new Error().stack.includes('/force-worker.js');
      Atomics.add = (...args) => { if (isThere() && ++steps === 300) { ${act} } return add(...args); };
    }`,
  );
}

describe('fleetstep', () => {
  let run: TrainSummary;
  beforeAll(async () => {
    const { stdout, stderr, status } = await fleetstep('train', ...quick, '--out', 'first', '--json');
    expect([status, stderr]).toEqual([0, '']);
    run = JSON.parse(stdout.trim().split('\n').at(-1)!) as TrainSummary;
  });

  it('train --json ends with one line that sums the run up, and leaves config, metrics, checkpoint and evaluation', () => {
    expect(run).toMatchObject({ run: 'first', scenario: 'geneva', steps: 2048, finished: true });
    expect(run).toHaveProperty('seconds');
    expect(run).toHaveProperty('sps');
    expect(run).toHaveProperty('meanReturn');
    expect(run.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(readdirSync(join(root, 'first')).sort()).toEqual(unevaluated.toSpliced(2, 0, 'evaluation.json'));
    const lines = readFileSync(join(root, 'first', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(lines).toHaveLength(8);
    expect(JSON.parse(lines[7])).toMatchObject({ iteration: 8, global_step: 2048 });
    expect(Object.keys(JSON.parse(lines[0]) as object)).toEqual(
      expect.arrayContaining(['charts/SPS', 'charts/episodic_return', 'losses/approx_kl', 'losses/explained_variance']),
    );
  });

  it('the same command gives the same bytes, on another number of workers too', async () => {
    const { stdout } = await fleetstep('train', ...quick, '--out', 'again', '--workers', '1', '--json');
    expect((JSON.parse(stdout) as TrainSummary).weightsSha256).toBe(run.weightsSha256);
  });

  it('eval --json prints one object with the contract’s fields and nothing else', async () => {
    for (const policy of ['hungarian', 'first']) {
      const { stdout, stderr, status } = await fleetstep(
        'eval',
        '--policy',
        policy,
        '--split',
        'test',
        '--episodes',
        '5',
        '--seed',
        '3',
        '--json',
      );
      expect([status, stderr, stdout.trim().split('\n').length]).toEqual([0, '', 1]);
      const result = JSON.parse(stdout) as {
        episodes: { id: string; return: number; kpis: object }[];
        meanReturn: number;
        kpis: object;
      };
      expect(result).toMatchObject({ policy, scenario: 'geneva', split: 'test' });
      expect(result.episodes).toHaveLength(5);
      expect(Object.keys(result.kpis)).toEqual([...kpiNames]);
      expect(Object.keys(result.episodes[4])).toEqual(['id', 'return', 'kpis']);
      expect(result.meanReturn).toBeCloseTo(result.episodes.reduce((sum, episode) => sum + episode.return, 0) / 5, 6);
    }
  });

  it('simulate plays the episode that eval numbers, and its events tell the same story', async () => {
    const evaluated = JSON.parse((await fleetstep('eval', '--policy', 'edf', '--episodes', '3', '--json')).stdout) as {
      episodes: { id: string; return: number }[];
    };
    const simulated = JSON.parse(
      (await fleetstep('simulate', '--policy', 'edf', '--episode', '2', '--json')).stdout,
    ) as {
      id: string;
      return: number;
      kpis: { accepted: number };
      events: { kind: string }[];
    };
    expect({ id: simulated.id, return: simulated.return }).toEqual({
      id: evaluated.episodes[2].id,
      return: evaluated.episodes[2].return,
    });
    expect(simulated.events.filter((event) => event.kind === 'assigned')).toHaveLength(simulated.kpis.accepted);
    expect((await fleetstep('simulate', '--policy', 'edf', '--events')).stdout).toMatch(
      /^08:00:00 {2}created {4}booking 0/,
    );
  });

  it('runs as a program, as npx does once it has linked it', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(spawnSync(main, ['--version'], { encoding: 'utf8' }).stdout.trim()).toBe(version);
  });

  it('loads no room to say its version, and of the commands only the one that is asked for', () => {
    const module = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`;
    const watch = module(
      "import { writeSync } from 'node:fs'; export function load(url, c, next) { writeSync(2, `${url}\\n`); return next(url, c); }",
    );
    const hook = module(`import { register } from 'node:module'; register(${JSON.stringify(watch)});`);
    const loaded = (...args: string[]): string[] =>
      spawnSync(process.execPath, ['--import', hook, main, ...args], { encoding: 'utf8' })
        .stderr.split('\n')
        .flatMap((url) => /\/dist\/(.*)$/.exec(url)?.[1] ?? [])
        .filter((file) => !file.includes('node_modules'));
    expect(loaded('--version').sort()).toEqual(['cli/main.js', 'cli/run.js', 'cli/version.js']);
    const forToken = loaded('token', '--help');
    expect(forToken).toContain('cli/token.js');
    expect(forToken.filter((file) => /^cli\/(train|eval|serve|recommend|audit)\.js/.test(file))).toEqual([]);
  });

  it.each([
    [['train', '--scenario', 'paris'], /unknown scenario "paris"/],
    [['train', '--scenario', 'nyc-small'], /clone https:\/\/github.com\/tumBAIS/],
    [['train', '--scenario', 'nyc-small', '--data', 'nowhere'], /nowhere does not exist: clone/],
    [['train', '--scenario', 'bad.json'], /scenario field "drivers" is 0/],
    [['train', '--scenario', 'window.json'], /"demand.windowMinutes\[0\]" is -5/],
    [['train', '--steps', '0'], /--steps <n>' argument '0' is invalid/],
    [['train', '--envs', 'many'], /'many' is invalid/],
    [['train', '--out', '.'], /is not empty/],
    [['train', '--resume', 'nowhere'], /no run at nowhere/],
    [['train', '--resume', 'first'], /nothing to resume/],
    [['train', '--resume', 'first/checkpoint.msgpack'], /is a file: give the folder/],
    [['train', '--resume', 'first', '--learning-rate', '0.5'], /cannot be used with option '--learning-rate/],
    [['train', '--bogus'], /unknown option '--bogus'/],
    [['eval', '--policy', 'nobody'], /no run at nobody/],
    [['eval', '--policy', 'first', '--scenario', 'other.json'], /scenario field "name" is "geneva" in other\.json/],
    [['train', '--seeds', '3..1'], /"3..1" runs backwards. Give seeds such as 1..5/],
    [['train', '--seeds', '1,1'], /Seed 1 is given twice/],
    [['train', '--seeds', '1,two'], /"two" is no seed/],
    [['train', '--init', 'nowhere'], /no run at nowhere/],
    [
      ['train', '--init', 'first', '--hidden', '8', '--json'],
      /hidden is \[8\], and \[32,32\] in first: a run that starts from it must have the same/,
    ],
    [['train', '--resume', 'first', '--steps', '100'], /--steps is 100, and first has done 2048/],
    [['eval', '--policy', 'cut'], /truncated/],
    [['eval', '--workers', '0'], /'0' is invalid/],
    [['import', '--data', 'nowhere'], /nowhere does not exist/],
    [['train', '--init', 'edf'], /edf is a rule, which has no network: give the folder of a run/],
    [['simulate', '--policy', 'edf', '--svg', '.'], /argument '.' is invalid. It is a folder: give a file in it/],
    [['frobnicate'], /unknown command/],
  ])('%j: one line, exit code 2, nothing written', async (args, message) => {
    writeFileSync(join(root, 'bad.json'), '{"extends": "geneva", "drivers": 0}');
    writeFileSync(join(root, 'other.json'), '{"extends": "geneva", "name": "geneva", "drivers": 4}');
    writeFileSync(
      join(root, 'window.json'),
      JSON.stringify({ extends: 'geneva', demand: { ...genevaDemand, windowMinutes: [-5, 20] } }),
    );
    mkdirSync(join(root, 'cut'), { recursive: true });
    writeFileSync(
      join(root, 'cut', 'checkpoint.msgpack'),
      readFileSync(join(root, 'first', 'checkpoint.msgpack')).subarray(0, 5000),
    );
    const before = readdirSync(root, { recursive: true }).sort();
    const { status, stdout, stderr } = await fleetstep(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(root, { recursive: true }).sort()).toEqual(before);
  });

  it('a run that is killed goes on from its last checkpoint, to the weights of one that was not', async () => {
    // At its fourth iteration it waits until a checkpoint is due, and after two more it is killed.
    const env = preloading(
      'kill',
      `const fs = require('node:fs');
      const { appendFileSync } = fs;
      let lines = 0;
      fs.appendFileSync = (...args) => {
        appendFileSync(...args);
        if (!args[0].endsWith('metrics.jsonl')) return;
        if (++lines === 4) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
        if (lines === 6) process.kill(process.pid, 'SIGKILL');
      };
      require('node:module').syncBuiltinESMExports();`,
    );
    const killed = spawnSync(
      process.execPath,
      [main, 'train', ...quick, '--out', 'killed', '--checkpoint-seconds', '1', '--json'],
      { cwd: root, encoding: 'utf8', env },
    );
    expect([killed.signal, killed.stderr]).toEqual(['SIGKILL', '']);
    const iterations = (): number[] =>
      readFileSync(join(root, 'killed', 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { iteration: number }).iteration);
    expect(iterations()).toEqual([1, 2, 3, 4, 5, 6]);
    const { stdout, stderr, status } = await fleetstep('train', '--resume', 'killed', '--eval-episodes', '0', '--json');
    expect([status, stderr]).toEqual([0, '']);
    expect((JSON.parse(stdout) as TrainSummary).weightsSha256).toBe(run.weightsSha256);
    expect(iterations()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends the run in order: checkpoint, exit code %d, and how to go on', async (signal, code) => {
    const out = `interrupted-${code}`;
    const child = spawn(
      process.execPath,
      [main, 'train', '--steps', '1e9', '--envs', '8', '--backend', 'wasm', '--out', out],
      { cwd: root },
    );
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
    while (!existsSync(join(root, out, 'metrics.jsonl'))) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill(signal);
    expect(await exited).toBe(code);
    expect(stdout).toContain('interrupted: ');
    expect(stdout).toContain(`next: fleetstep train --resume ${out}\n`);
    expect(existsSync(join(root, out, 'checkpoint.msgpack'))).toBe(true);
  });

  it('an interrupt in the evaluation leaves a run that --resume finishes, with what it was told at its start', async () => {
    const child = spawn(
      process.execPath,
      [
        main,
        'train',
        ...quick.slice(0, -2),
        '--out',
        'evaluating',
        '--eval-episodes',
        '5000',
        '--checkpoint-seconds',
        '7',
      ],
      { cwd: root },
    );
    let stderr = '';
    const evaluating = new Promise<void>((resolve) =>
      child.stderr.on('data', (data: Buffer) => {
        stderr += data.toString();
        if (stderr.includes('evaluating')) resolve();
      }),
    );
    const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
    await evaluating;
    child.kill('SIGINT');
    expect(await exited).toBe(130);
    expect(stderr).toContain(
      'stopping: the trained network is saved, the evaluation is not; "fleetstep train --resume evaluating" evaluates again\n',
    );
    expect(readdirSync(join(root, 'evaluating')).sort()).toEqual(unevaluated);
    const resumed = await fleetstep('train', '--resume', 'evaluating', '--eval-episodes', '6', '--json');
    expect([resumed.status, resumed.stderr]).toEqual([0, '']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ finished: true, weightsSha256: run.weightsSha256 });
    // The same episodes, from the same weights.
    expect(readFileSync(join(root, 'evaluating', 'evaluation.json'), 'utf8')).toBe(
      readFileSync(join(root, 'first', 'evaluation.json'), 'utf8'),
    );
    const { settings } = JSON.parse(readFileSync(join(root, 'evaluating', 'config.json'), 'utf8')) as {
      settings: { checkpointSeconds: number };
    };
    expect(settings.checkpointSeconds).toBe(7);
    expect((await fleetstep('train', '--resume', 'evaluating')).stderr).toMatch(/nothing to resume/);
  });

  it('a resumed run remembers that it was to have no evaluation', async () => {
    const child = await fleetstep('train', ...quick.slice(0, -2), '--eval-episodes', '0', '--out', 'silent', '--json');
    expect(child.status).toBe(0);
    expect((await fleetstep('train', '--resume', 'silent')).stderr).toMatch(/nothing to resume/);
    // Asked for now, it is made up for.
    expect((await fleetstep('train', '--resume', 'silent', '--eval-episodes', '2', '--json')).status).toBe(0);
    expect(existsSync(join(root, 'silent', 'evaluation.json'))).toBe(true);
  });

  it('only one process works on a run: the other is told which, and a killed one is no hindrance', async () => {
    const child = spawn(process.execPath, [main, 'train', ...endless, '--out', 'one'], { cwd: root });
    const exited = new Promise((resolve) => child.on('exit', resolve));
    while (!existsSync(join(root, 'one', 'metrics.jsonl'))) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await fleetstep('train', '--resume', 'one');
    expect(second.status).toBe(2);
    expect(second.stderr).toMatch(new RegExp(`process ${child.pid} on ${hostname()} works on one since 2`));
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await exited;
    // What a kill in the midst of writing leaves.
    writeFileSync(join(root, 'one', `.${child.pid}-1.tmp`), 'half');
    expect(readdirSync(join(root, 'one')).filter((name) => name.startsWith('.'))).toHaveLength(2);
    const third = spawn(process.execPath, [main, 'train', '--resume', 'one'], { cwd: root });
    const left = new Promise((resolve) => third.on('exit', resolve));
    const hidden = (): string[] => readdirSync(join(root, 'one')).filter((name) => name.startsWith('.'));
    while (hidden().length !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
    third.kill('SIGINT');
    expect(await left).toBe(130);
    expect(hidden()).toEqual([]);
  });

  /** What threads do for each algorithm beside rollouts, and a run of it that is over within seconds. */
  const learning: Readonly<Record<string, readonly [task: string, ...string[]]>> = {
    ppo: ['learn', '--steps', '4000', '--envs', '16', '--rollout-steps', '64'],
    dqn: ['rollout', '--steps', '20000', '--learning-starts', '500', '--replay-capacity', '4000'],
    linear: ['evaluate', '--steps', '1000000'],
    rollout: ['force', '--scenario', 'geneva-live', '--steps', '480', '--envs', '30', '--rollout-steps', '4'],
  };

  it.each(
    algorithmNames.flatMap((algorithm) =>
      [
        ['dies', 'process.exit(7);', 'a worker failed at "TASK"'],
        ['hangs', 'for (;;);', 'a worker hangs at "TASK": task \\d+ has made no step for 2 s'],
      ].map(([what, act, message]) => ({ algorithm, what, act, message })),
    ),
  )(
    'a worker that $what each time while $algorithm learns ends the run, which resumes to the same weights',
    { tags: ['long'] },
    async ({ algorithm, what, act, message }) => {
      const [task, ...settings] = learning[algorithm];
      const args = ['--algorithm', algorithm, ...settings, '--eval-episodes', '0', '--json'];
      const out = `learning-${algorithm}-${what}`;
      const { status, stderr } = spawnSync(
        process.execPath,
        [main, 'train', ...args, '--workers', '2', '--hang-seconds', '2', '--out', out],
        { cwd: root, encoding: 'utf8', timeout: 540_000, env: sabotage(out, act, task) },
      );
      expect(stderr).toMatch(new RegExp(message.replace('TASK', task)));
      expect(stderr).toMatch(
        new RegExp(`; the checkpoint of step \\d+ is kept: resume with "fleetstep train --resume ${out}"\n$`),
      );
      expect(status).toBe(1);
      const resumed = await fleetstep('train', '--resume', out, '--json');
      const whole = await fleetstep('train', ...args, '--out', `${out}-whole`);
      const sha = (text: string): string => (JSON.parse(text) as TrainSummary).weightsSha256;
      expect(sha(resumed.stdout)).toBe(sha(whole.stdout));
    },
  );

  it.each([
    [
      'dies',
      'process.exit(7);',
      /a worker failed at "rollout"/,
      [/a thread died\n/, /task "rollout" failed: .*worker exited with code: 7/],
    ],
    [
      'hangs',
      'for (;;);',
      /a worker hangs at "rollout": task \d+ has made no step for 1 s/,
      [/watchdog: a worker hangs at "rollout"/, /ending \d threads\n/],
    ],
  ])(
    'a worker that %s each time ends the run, and says how to resume it; NODE_DEBUG tells more',
    { tags: ['long'] },
    (what, act, message, told) => {
      const { status, stderr } = spawnSync(
        process.execPath,
        [main, 'train', ...endless, '--workers', '2', '--hang-seconds', '1', '--out', what, '--json'],
        {
          cwd: root,
          encoding: 'utf8',
          timeout: 540_000,
          env: { ...sabotage(what, act), NODE_DEBUG: 'fleetstep:workers,fleetstep:trips' },
        },
      );
      expect(status).toBe(1);
      const debugged = /^FLEETSTEP:[A-Z]+ \d+: .*\n/gm;
      const fault = stderr.replaceAll(debugged, '');
      expect(fault).toMatch(message);
      expect(fault).toMatch(
        new RegExp(`; the checkpoint of step \\d+ is kept: resume with "fleetstep train --resume ${what}"\n$`),
      );
      expect(readdirSync(join(root, what)).sort()).toEqual(unevaluated);
      expect(readFileSync(join(root, what, 'log.txt'), 'utf8')).toMatch(/ failed at step \d+: .*\n$/);
      const debug = stderr.match(debugged)!.join('');
      expect(debug).toMatch(/FLEETSTEP:TRIPS \d+: scenario geneva: names/);
      // Two threads, and three times two others in their place.
      expect(debug.match(/thread \d+ started\n/g)).toHaveLength(8);
      for (const line of told) expect(stderr).toMatch(line);
    },
  );

  it.each([
    // The first waits for the limit; where that is far away, the second does not.
    [1, '3'],
    [2, '100000'],
  ])(
    'while a worker hangs, an interrupt ends the run with what is saved, and a second one at once: %d',
    async (...how) => {
      const [interrupts, seconds] = how;
      const out = `stuck-${interrupts}`;
      const stuck = join(root, `${out}.now`);
      const child = spawn(process.execPath, [main, 'train', ...endless, '--hang-seconds', seconds, '--out', out], {
        cwd: root,
        env: sabotage(out, `require('node:fs').writeFileSync(${JSON.stringify(stuck)}, ''); for (;;);`),
      });
      let stderr = '';
      child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
      const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
      while (!existsSync(stuck)) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill('SIGINT');
      if (interrupts === 2) {
        while (!stderr.includes('interrupt again')) await new Promise((resolve) => setTimeout(resolve, 20));
        child.kill('SIGINT');
      }
      expect(await exited).toBe(130);
      expect(readdirSync(join(root, out)).filter((name) => name.startsWith('.'))).toEqual([]);
    },
  );

  it('says how many steps and workers there really are', async () => {
    const { stderr, status } = await fleetstep(
      'train',
      '--steps',
      '1',
      '--envs',
      '4',
      '--workers',
      '256',
      '--minibatch',
      '128',
      '--rollout-steps',
      '32',
      '--eval-episodes',
      '0',
      '--backend',
      'wasm',
      '--out',
      'rounded',
    );
    expect(status).toBe(0);
    expect(stderr).toContain('128 steps in 4 environments on 4 workers');
    expect(stderr).toContain(
      'note: 1 asked for, rounded up to 128 steps, because an iteration is 4 environments x 32 steps',
    );
    expect(stderr).toContain('note: 4 workers instead of 256, because there are 4 environments');
  });

  it('eval prints an interval, and of one episode says that there is none', async () => {
    expect((await fleetstep('eval', '--policy', 'edf', '--episodes', '1')).stdout).toMatch(
      /mean return -?[\d.]+ \(one episode: no interval\)\n$/,
    );
    expect((await fleetstep('eval', '--policy', 'edf', '--episodes', '4')).stdout).toMatch(
      /mean return -?[\d.]+ ± [\d.]+ \(95%\)\n$/,
    );
    const evaluated = async (episodes: string): Promise<{ halfWidth: number | null; episodes: { return: number }[] }> =>
      JSON.parse((await fleetstep('eval', '--policy', 'edf', '--episodes', episodes, '--json')).stdout) as never;
    expect((await evaluated('1')).halfWidth).toBeNull();
    const four = await evaluated('4');
    const returns = four.episodes.map((episode) => episode.return);
    const mean = returns.reduce((sum, value) => sum + value, 0) / 4;
    const deviation = Math.sqrt(returns.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3);
    // Student's t with three degrees of freedom.
    expect(four.halfWidth).toBeCloseTo((3.182446305 * deviation) / 2, 5);
  });

  it('a run of a scenario file is evaluated without naming the file, and plays another that its network fits', async () => {
    writeFileSync(join(root, 'small.json'), '{"extends": "geneva", "name": "small", "drivers": 4}');
    expect((await fleetstep('train', ...quick, '--scenario', 'small.json', '--out', 'small', '--json')).status).toBe(0);
    const { stdout } = await fleetstep('eval', '--policy', 'small', '--episodes', '2', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ scenario: 'small' });
    expect(
      (await fleetstep('eval', '--policy', 'small', '--episodes', '2', '--scenario', 'small.json', '--json')).stdout,
    ).toBe(stdout);
    const few = ['--policy', 'small', '--episodes', '2', '--scenario', 'geneva'];
    const other = await fleetstep('eval', ...few);
    expect([other.status, other.stdout]).toEqual([0, expect.stringContaining('2 validation episodes of geneva')]);
    expect(other.stderr).toContain('note: small was trained on small (4 drivers, 20 slots) and plays geneva (10, 20)');
    const silent = await fleetstep('eval', ...few, '--json');
    expect([silent.stderr, JSON.parse(silent.stdout)]).toMatchObject(['', { scenario: 'geneva' }]);
    expect((await fleetstep('eval', '--policy', 'small', '--data', '.')).stderr).toMatch(/leave --data out/);
    expect(JSON.parse((await fleetstep('simulate', '--policy', 'small', '--json')).stdout)).toMatchObject({
      scenario: 'small',
    });
  });

  it.each([
    ['train', '--out'],
    ['train', '--resume'],
    ['import', '--out'],
    ['collect', '--out'],
    ['eval', '--data'],
  ])('%s refuses an empty %s', async (command, option) => {
    const { status, stderr } = await fleetstep(command, option, '');
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(
        /^fleetstep: option '--\w+ <\w+>' argument '' is invalid. It must be a path, and it is empty. \(see --help\)\n$/,
      ),
    ]);
  });

  it('a run of another scenario of the same name is refused with the field that differs', async () => {
    writeFileSync(join(root, 'town.json'), '{"extends": "geneva", "name": "town", "drivers": 4}');
    expect((await fleetstep('train', ...quick, '--scenario', 'town.json', '--out', 'town', '--json')).status).toBe(0);
    writeFileSync(join(root, 'town.json'), '{"extends": "geneva", "name": "town", "drivers": 5}');
    expect((await fleetstep('eval', '--policy', 'town', '--scenario', 'town.json')).stderr).toBe(
      'fleetstep: town was trained on another scenario "town": drivers is 4 there and 5 here; leave --scenario out to take the run\'s own\n',
    );
  });

  it('the help of every command has examples', async () => {
    const names = (text: string): string[] =>
      [...text.slice(text.indexOf('Commands:')).matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name);
    const commands = names((await fleetstep('--help')).stdout).filter((name) => name !== 'help');
    expect(commands).toEqual(expect.arrayContaining(['train', 'eval', 'simulate', 'serve', 'import', 'audit']));
    for (const command of commands) {
      const { status, stdout } = await fleetstep(command, '--help');
      expect(status, command).toBe(0);
      expect(stdout, command).toMatch(/Examples?:\n? *fleetstep/);
    }
  });

  it('the help says what the package does', async () => {
    expect((await fleetstep('--help')).stdout).toContain(
      'Simulate dispatch, train policies, recommend assignments, audit actions.',
    );
  });

  it('a full disk is one line on stderr, and leaves no half a checkpoint', async (context) => {
    const disk = join(root, 'disk');
    mkdirSync(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]).status !== 0) {
      console.warn('SKIPPED: the full-disk test, as this process may not mount a small disk');
      context.skip();
    }
    try {
      const { status, stdout, stderr } = await fleetstep('train', ...quick, '--out', 'disk/run', '--json');
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^fleetstep: cannot write disk\/run\/checkpoint.msgpack: ENOSPC: no space left on device/);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(
        readdirSync(join(disk, 'run')).filter((name) => name.includes('checkpoint') || name.endsWith('.tmp')),
      ).toEqual([]);
      // The same of other commands, which leave nothing in the way of the next try.
      writeFileSync(join(disk, 'filler'), Buffer.alloc(40_000));
      for (let room = 10_000; room > 0; room = room >> 1) {
        try {
          for (;;) appendFileSync(join(disk, 'filler'), Buffer.alloc(room));
        } catch (error) {
          expect(error).toMatchObject({ code: 'ENOSPC' });
        }
      }
      writeFileSync(
        join(root, 'tiny.json'),
        JSON.stringify({ trials: 1, config: { steps: 512 }, space: { gamma: { choice: [0.9] } } }),
      );
      const others = [
        [['sweep', 'tiny.json', '--out', 'disk/study'], 'disk/study/study.json'],
        [['export', 'first', '--format', 'onnx', '--out', 'disk/onnx'], 'disk/onnx/actor.onnx'],
        [['simulate', '--policy', 'edf', '--html', 'disk/a.html'], 'disk/a.html'],
      ] as const;
      for (const [args, file] of others) {
        const refused = await fleetstep(...args);
        expect([refused.status, refused.stdout, refused.stderr]).toEqual([
          1,
          '',
          `fleetstep: cannot write ${file}: ENOSPC: no space left on device\n`,
        ]);
      }
      // Once there is room, the same folder takes the run.
      expect(spawnSync('mount', ['-o', 'remount,size=64m', disk]).status).toBe(0);
      expect((await fleetstep('train', ...quick, '--out', 'disk/run', '--json')).status).toBe(0);
      expect(readdirSync(join(disk, 'run'))).toContain('config.json');
      expect((await fleetstep(...others[1][0])).status).toBe(0);
      expect(readdirSync(join(disk, 'study'))).toEqual([]);
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  it('doctor checks every part and says so', async () => {
    const { stdout, status } = await fleetstep('doctor', '--json');
    const report = JSON.parse(stdout) as { ok: boolean; checks: { name: string; status: string }[] };
    expect([status, report.ok]).toEqual([0, true]);
    const states = Object.fromEntries(report.checks.map((check) => [check.name, check.status]));
    expect(states).toMatchObject({ 'backend wasm': 'ok', 'backend cpu': 'ok', environment: 'ok', learning: 'ok' });
    expect(['ok', 'absent']).toContain(states['backend tensorflow']);
  });

  it('bench prints the machine and rows with median and spread', { tags: ['long'] }, () => {
    const { stdout, status } = spawnSync('npm', ['run', '--silent', 'bench', '--', 'env', '--quick', '--json'], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    const report = JSON.parse(stdout) as {
      machine: object;
      rows: { name: string; value: number; unit: string; low: number; high: number }[];
    };
    expect(report.machine).toHaveProperty('cpu');
    expect(report.rows.length).toBeGreaterThan(3);
    for (const row of report.rows) {
      expect(row.unit).toBe('steps/s');
      expect(row.low).toBeLessThanOrEqual(row.value);
      expect(row.value).toBeLessThanOrEqual(row.high);
    }
    expect(spawnSync(process.execPath, [benchMain, 'nonsense']).status).toBe(2);
  });
});

const genevaDemand = {
  kind: 'synthetic',
  arrivalProbability: { base: 0.2, parts: [] },
  bookingsPerArrival: [1, 3],
  initialBookings: [3, 7],
  priorities: [1, 5],
  urgentPriority: 4,
  urgentWindowMinutes: [10, 30],
  returnShare: 0,
};

describeWithTrips('fleetstep on real trips', () => {
  it('imports them into one file that eval takes, with the same result', async () => {
    const trips = join(root, 'small.trips');
    const { stdout, status } = await fleetstep('import', '--data', nycAmod, '--out', trips, '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      scenario: 'nyc-small',
      zones: 11,
      splits: [{ days: 200 }, { days: 25 }, { days: 20 }],
    });
    expect((await fleetstep('import', '--data', nycAmod, '--out', trips)).stderr).toContain(
      'exists: give another --out, or --force',
    );
    const evaluate = async (data: string): Promise<string> =>
      (
        await fleetstep(
          'eval',
          '--policy',
          'edf',
          '--scenario',
          'nyc-small',
          '--data',
          data,
          '--episodes',
          '3',
          '--json',
        )
      ).stdout;
    expect(await evaluate(trips)).toBe(await evaluate(nycAmod));
    expect((await fleetstep('eval', '--scenario', 'nyc-large', '--data', trips)).stderr).toContain(
      'holds trips for nyc-small, not for nyc-large',
    );
  });
});
