// The command line as scripts use it: contracts on stdout, one clear line and exit code 2 for mistakes, faults survived.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kpiNames } from '#engine/index.js';
import { describeWithTrips, nycAmod } from './support/shared-data.js';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const benchMain = fileURLToPath(new URL('../dist/bench/main.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'fleetstep-cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function fleetstep(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { cwd: root, encoding: 'utf8', timeout: 110_000 });
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

interface TrainSummary {
  readonly run: string;
  readonly steps: number;
  readonly weightsSha256: string;
}

describe('fleetstep', () => {
  let run: TrainSummary;
  beforeAll(() => {
    const { stdout, stderr, status } = fleetstep('train', ...quick, '--out', 'first', '--json');
    expect([status, stderr]).toEqual([0, '']);
    run = JSON.parse(stdout.trim().split('\n').at(-1)!) as TrainSummary;
  });

  it('train --json ends with one line that sums the run up, and leaves config, metrics, checkpoint and evaluation', () => {
    expect(run).toMatchObject({ run: 'first', scenario: 'geneva', steps: 2048, finished: true });
    expect(run).toHaveProperty('seconds');
    expect(run).toHaveProperty('sps');
    expect(run).toHaveProperty('meanReturn');
    expect(run.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(readdirSync(join(root, 'first')).sort()).toEqual([
      'checkpoint.msgpack',
      'config.json',
      'evaluation.json',
      'metrics.jsonl',
    ]);
    const lines = readFileSync(join(root, 'first', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(lines).toHaveLength(8);
    expect(JSON.parse(lines[7])).toMatchObject({ iteration: 8, global_step: 2048 });
    expect(Object.keys(JSON.parse(lines[0]) as object)).toEqual(
      expect.arrayContaining(['charts/SPS', 'charts/episodic_return', 'losses/approx_kl', 'losses/explained_variance']),
    );
  });

  it('the same command gives the same bytes, on another number of workers too', () => {
    const { stdout } = fleetstep('train', ...quick, '--out', 'again', '--workers', '1', '--json');
    expect((JSON.parse(stdout) as TrainSummary).weightsSha256).toBe(run.weightsSha256);
  });

  it('eval --json prints one object with the contract’s fields and nothing else', () => {
    for (const policy of ['hungarian', 'first']) {
      const { stdout, stderr, status } = fleetstep(
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

  it('simulate plays the episode that eval numbers, and its events tell the same story', () => {
    const evaluated = JSON.parse(fleetstep('eval', '--policy', 'edf', '--episodes', '3', '--json').stdout) as {
      episodes: { id: string; return: number }[];
    };
    const simulated = JSON.parse(fleetstep('simulate', '--policy', 'edf', '--episode', '2', '--json').stdout) as {
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
    expect(fleetstep('simulate', '--policy', 'edf', '--events').stdout).toMatch(/^08:00:00 {2}created {4}booking 0/);
  });

  it('runs as a program, as npx does once it has linked it', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(spawnSync(main, ['--version'], { encoding: 'utf8' }).stdout.trim()).toBe(version);
  });

  it('every command explains itself with examples', () => {
    for (const command of ['train', 'eval', 'simulate', 'import', 'doctor']) {
      const { stdout, status } = fleetstep(command, '--help');
      expect(status).toBe(0);
      expect(stdout).toMatch(/Examples:\n {2}fleetstep/);
    }
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
    [['eval', '--policy', 'first', '--scenario', 'other.json'], /was trained on scenario "geneva", not on "other"/],
    [['eval', '--policy', 'cut'], /truncated/],
    [['eval', '--workers', '0'], /'0' is invalid/],
    [['import', '--data', 'nowhere'], /nowhere does not exist/],
    [['frobnicate'], /unknown command/],
  ])('%j: one line, exit code 2, nothing written', (args, message) => {
    writeFileSync(join(root, 'bad.json'), '{"extends": "geneva", "drivers": 0}');
    writeFileSync(join(root, 'other.json'), '{"extends": "geneva", "name": "other"}');
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
    const { status, stdout, stderr } = fleetstep(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(root, { recursive: true }).sort()).toEqual(before);
  });

  it('a run that is killed goes on from its last checkpoint, to the weights of one that was not', async () => {
    const args = [
      '--steps',
      '60000',
      '--envs',
      '8',
      '--rollout-steps',
      '32',
      '--minibatch',
      '128',
      '--backend',
      'wasm',
      '--eval-episodes',
      '0',
    ];
    const whole = JSON.parse(fleetstep('train', ...args, '--out', 'whole', '--json').stdout) as TrainSummary;
    const child = spawn(
      process.execPath,
      [main, 'train', ...args, '--out', 'killed', '--checkpoint-seconds', '1', '--json'],
      { cwd: root },
    );
    const exited = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)));
    while (!existsSync(join(root, 'killed', 'checkpoint.msgpack')))
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    expect(await exited).toBe('SIGKILL');
    const { stdout, stderr, status } = fleetstep('train', '--resume', 'killed', '--eval-episodes', '0', '--json');
    expect([status, stderr]).toEqual([0, '']);
    expect((JSON.parse(stdout) as TrainSummary).weightsSha256).toBe(whole.weightsSha256);
    const iterations = readFileSync(join(root, 'killed', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(iterations.map((line) => (JSON.parse(line) as { iteration: number }).iteration)).toEqual(
      iterations.map((_, k) => k + 1),
    );
  });

  it('an interrupt ends the run in order: checkpoint, exit code 0, and how to go on', async () => {
    const child = spawn(
      process.execPath,
      [main, 'train', '--steps', '1e9', '--envs', '8', '--backend', 'wasm', '--out', 'interrupted'],
      { cwd: root },
    );
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
    while (!existsSync(join(root, 'interrupted', 'metrics.jsonl')))
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect(await exited).toBe(0);
    expect(stdout).toContain('interrupted: ');
    expect(stdout).toContain('next: fleetstep train --resume interrupted --scenario geneva');
    expect(existsSync(join(root, 'interrupted', 'checkpoint.msgpack'))).toBe(true);
  });

  it('a full disk is one line on stderr, and leaves no half a checkpoint', (context) => {
    const disk = join(root, 'disk');
    mkdirSync(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]).status !== 0) {
      console.warn('SKIPPED: the full-disk test, as this process may not mount a small disk');
      context.skip();
    }
    try {
      const { status, stdout, stderr } = fleetstep('train', ...quick, '--out', 'disk/run', '--json');
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^fleetstep: ENOSPC: no space left on device/);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(
        readdirSync(join(disk, 'run')).filter((name) => name.includes('checkpoint') || name.endsWith('.tmp')),
      ).toEqual([]);
    } finally {
      spawnSync('umount', [disk]);
    }
  });

  it('doctor checks every part and says so', () => {
    const { stdout, status } = fleetstep('doctor', '--json');
    const report = JSON.parse(stdout) as { ok: boolean; checks: { name: string; status: string }[] };
    expect([status, report.ok]).toEqual([0, true]);
    const states = Object.fromEntries(report.checks.map((check) => [check.name, check.status]));
    expect(states).toMatchObject({ 'backend wasm': 'ok', 'backend cpu': 'ok', environment: 'ok', learning: 'ok' });
    expect(['ok', 'absent']).toContain(states['backend tensorflow']);
  });

  it('bench prints the machine and rows with median and spread', () => {
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
  it('imports them into one file that eval takes, with the same result', () => {
    const trips = join(root, 'small.trips');
    const { stdout, status } = fleetstep('import', '--data', nycAmod, '--out', trips, '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      scenario: 'nyc-small',
      zones: 11,
      splits: [{ days: 200 }, { days: 25 }, { days: 20 }],
    });
    expect(fleetstep('import', '--data', nycAmod, '--out', trips).stderr).toContain(
      'exists: give another --out, or --force',
    );
    const evaluate = (data: string): string =>
      fleetstep('eval', '--policy', 'edf', '--scenario', 'nyc-small', '--data', data, '--json').stdout;
    expect(evaluate(trips)).toBe(evaluate(nycAmod));
    expect(fleetstep('eval', '--scenario', 'nyc-large', '--data', trips).stderr).toContain(
      'holds trips for nyc-small, not for nyc-large',
    );
  });
});
