// The record on the command line: a demo company, its acts, its limits, its proof, and the scenario that is collected of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actionColumns } from '#audit/index.js';
import type { ActionDetail, ActionPage, Controls, Statistics } from '#audit/index.js';
import type { EmbeddedServer } from '#audit/embedded.js';
import { shippedMigrations } from '#audit/migrate.js';
import { heuristicNames } from '#policy/index.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';
import { clusterFolder, openServer, signalServer, superuser } from './support/database.js';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
let folder: string;
const work = mkdtempSync(join(tmpdir(), 'fleetstep-cli-audit-'));
let server: EmbeddedServer;

function environment(env: Record<string, string>): NodeJS.ProcessEnv {
  const { DATABASE_URL: _, DATABASE_OWNER_URL: __, ...rest } = process.env;
  return { ...rest, FLEETSTEP_DATA: folder, ...env };
}

function fleetstepWith(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  return runInProcess(args, { cwd: work, env: environment(env) });
}

const fleetstep = (...args: string[]): Promise<Ended> => fleetstepWith({}, ...args);

/** The same beside others. */
async function fleetstepBeside(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { cwd: work, env: environment(env) });
  const told = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (told[name] += text));
  }
  const [status] = (await once(child, 'close')) as [number];
  return { status, ...told };
}

/** The one JSON object that a command prints, which must end well and silently. */
async function json<T>(...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await fleetstep(...args, '--json');
  expect([status, stderr, stdout.trim().split('\n').length], args.join(' ')).toEqual([0, '', 1]);
  return JSON.parse(stdout) as T;
}

beforeAll(async () => {
  folder = await clusterFolder(false);
  // Held open, so that the commands below share it instead of starting one each.
  server = await openServer(folder);
  expect((await fleetstep('seed-demo', '--days', '10', '--seed', '3')).status).toBe(0);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
  rmSync(work, { recursive: true, force: true });
});

describe('fleetstep seed-demo', () => {
  it('fills a database that it sets up itself, without the name of anybody', async () => {
    const owner = superuser(server);
    const [row] = await owner`
      select (select count(*) from booking) as bookings, (select count(*) from driver) as drivers,
        (select count(*) from autonomous_action) as acts`;
    await owner.end();
    expect(row?.['drivers']).toBe(10);
    expect(row?.['bookings']).toBeGreaterThan(200);
    expect(row?.['acts']).toBeGreaterThan(20);
  });
});

describe('fleetstep audit', () => {
  it('list pages through all acts, by number and by cursor alike', async () => {
    const byNumber: number[] = [];
    for (let page = 1; ; page++) {
      const { actions, next } = await json<ActionPage>('audit', 'list', '--page', String(page), '--per-page', '50');
      byNumber.push(...actions.map(({ id }) => id));
      if (next === null) break;
    }
    const byCursor: number[] = [];
    for (let cursor: string | null = null; ;) {
      const more: string[] = cursor === null ? [] : ['--cursor', cursor];
      const page: ActionPage = await json<ActionPage>('audit', 'list', '--per-page', '50', ...more);
      byCursor.push(...page.actions.map(({ id }) => id));
      cursor = page.next;
      if (cursor === null) break;
    }

    expect(byCursor).toEqual(byNumber);
    expect(new Set(byNumber).size).toBe(byNumber.length);
    const [first] = (await json<ActionPage>('audit', 'list', '--status', 'refused', '--per-page', '1')).actions;
    expect(first).toMatchObject({ status: 'refused', success: null });
    expect((await fleetstep('audit', 'list')).stdout).toMatch(
      /notify_customer[^]*\d+ actions in all; 20 shown; more: --cursor \S+\n$/,
    );
  });

  it('review puts the reviewer on record, and show tells both reviews', async () => {
    const [{ id }] = (await json<ActionPage>('audit', 'list', '--reviewed', 'false', '--per-page', '1')).actions;
    await json('audit', 'review', String(id), '--by', 'ann', '--notes', 'right');
    await json('audit', 'review', String(id), '--by', 'bob', '--notes', 'wrong after all');
    const shown = await json<ActionDetail>('audit', 'show', String(id));
    expect(shown).toMatchObject({ reviewed_by_admin: true, reviewed_by: 'bob', admin_notes: 'wrong after all' });
    expect(shown.reviews.map(({ reviewer, notes }) => [reviewer, notes])).toEqual([
      ['ann', 'right'],
      ['bob', 'wrong after all'],
    ]);
    expect((await fleetstep('audit', 'show', String(id))).stdout).toMatch(
      /^id +\d+\n[^]*review \S+ by bob: wrong after all\n/,
    );
  });

  it('stats count what list counts', async () => {
    const stats = await json<Statistics>('audit', 'stats', '--period', 'month');
    const { total } = await json<ActionPage>('audit', 'list', '--from', String(stats.from), '--to', String(stats.to));
    expect(stats.totals.total).toBe(total);
    expect(stats.byType.reduce((sum, figures) => sum + figures.total, 0)).toBe(total);
    expect((await fleetstep('audit', 'stats', '--period', 'month')).stdout).toContain('company 1');
  });

  it('export writes every act, as CSV and as JSON lines, into a file or to stdout', async () => {
    const { total } = await json<ActionPage>('audit', 'list');
    expect((await fleetstep('audit', 'export', '--format', 'csv', '--out', 'acts.csv')).status).toBe(0);
    const rows = parse<Record<string, string>>(readFileSync(join(work, 'acts.csv')), { columns: true });
    expect(rows).toHaveLength(total ?? -1);
    expect(Object.keys(rows[0])).toEqual([...actionColumns]);
    const lines = (await fleetstep('audit', 'export')).stdout.trimEnd().split('\n');
    const acts = lines.map((line) => JSON.parse(line) as { id: number; created_at: string });
    expect(acts.map(({ id }) => String(id))).toEqual(rows.map(({ id }) => id));
    expect(acts.map(({ created_at: at }) => at)).toEqual(rows.map(({ created_at: at }) => at));
    // A fault leaves the file as it was.
    const fault = await fleetstep('audit', 'export', '--from', 'yesterday', '--out', 'acts.csv');
    expect(fault).toMatchObject({ status: 2, stderr: expect.stringMatching(/"from" is "yesterday"/) as string });
    expect(await fleetstep('audit', 'export', '--out', join(work, 'none', 'acts.jsonl'))).toMatchObject({ status: 1 });
    expect(parse(readFileSync(join(work, 'acts.csv')))).toHaveLength(1 + (total ?? 0));
    expect(readdirSync(work).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('settings, limits, stop and resume change what they say, and every change is on record', async () => {
    const one = ['audit', 'settings', '1'];
    const set = await json<Controls>(...one, '--mode', 'FULLY_AUTO', '--auto-reassign', 'on', '--by', 'ann');
    expect(set.settings).toMatchObject({ mode: 'FULLY_AUTO', autoReassign: true });
    expect(set.settings.ownApproval).toBe(false);
    expect((await json<Controls>(...one, '--own-approval', 'on')).settings.ownApproval).toBe(true);
    const limited = await json<Controls>(
      'audit',
      'limits',
      '1',
      '--set',
      'all/hour=700',
      'reassign/day=20!',
      'driver/hour=5',
    );
    expect(limited.limits).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ scope: 'all', per: 'hour', kind: 'bucket', capacity: 700 }),
        expect.objectContaining({ scope: 'reassign', per: 'day', kind: 'window', capacity: 20 }),
        expect.objectContaining({ scope: 'driver', per: 'hour', capacity: 5 }),
      ]),
    );
    expect(await json('audit', 'stop', '--company', '1')).toEqual({ stopped: true, company: 1 });
    expect(await json('audit', 'stop', '--all')).toEqual({ stopped: true, all: true });
    expect(await json<Controls>(...one)).toMatchObject({ settings: { stopped: true }, stoppedAll: true });
    expect((await fleetstep(...one)).stdout).toMatch(/FULLY_AUTO, STOPPED, ALL COMPANIES STOPPED/);
    await json('audit', 'resume', '--all');
    await json('audit', 'resume', '--company', '1');
    expect((await fleetstep(...one)).stdout).toMatch(/own approval: allowed/);
    await json(...one, '--own-approval', 'off');
    expect(await json<Controls>(...one)).toMatchObject({ settings: { stopped: false }, stoppedAll: false });
    const owner = superuser(server);
    const kinds = await owner<{ kind: string; n: number }[]>`
      select kind, count(*)::integer as n from audit_ledger
      where detail ? 'by' and detail ->> 'by' <> 'seed-demo' group by kind order by kind`;
    await owner.end();
    expect(kinds.reduce((sum, { n }) => sum + n, 0)).toBe(9);
  });

  it('prune --dry-run tells what would go, and makes no key', async () => {
    const plan = await json<{ entries: number; acts: number; held: number[] }>(
      ...['audit', 'prune', '--company', '1', '--before', new Date().toISOString()],
      ...['--allow-under-six-months', '--dry-run'],
    );
    expect(plan.acts).toBeGreaterThan(20);
    expect(plan).toMatchObject({ dryRun: true, held: [] });
    expect(readdirSync(folder)).toEqual(['postgres']);
  });

  it('verify says ok, compares signed heads, and ends with 1 at the first act that was edited', async () => {
    expect(await json<object>('audit', 'verify')).toMatchObject({ ok: true, heads: 0 });
    const heads = await json<{ heads: unknown[] }>('audit', 'heads', '--out', 'heads.jsonl', '--key', 'key.pem');
    expect(heads.heads.length).toBeGreaterThan(1);
    const signed = ['--heads', 'heads.jsonl', '--public-key', 'key.pem.pub'];
    expect(await json<object>('audit', 'verify', ...signed)).toMatchObject({ ok: true, heads: heads.heads.length });
    const owner = superuser(server);
    try {
      await owner`alter table autonomous_action disable trigger user`;
      await owner`update autonomous_action set action_description = 'nothing to see' where id in (5, 9)`;
      await owner`alter table autonomous_action enable trigger user`;
      const { status, stdout } = await fleetstep('audit', 'verify', '--json');
      expect(status).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ ok: false, firstBad: 5, reason: 'the action was edited' });
      const plain = await fleetstep('audit', 'verify');
      const line = (id: number): string =>
        `BROKEN: action ${id} of company 1: the action was edited \\(expected digest [0-9a-f]{16}, found digest [0-9a-f]{16}\\)\n`;
      expect(plain.status).toBe(1);
      expect(plain.stdout).toMatch(new RegExp(`^${line(5)}${line(9)}$`));
    } finally {
      await owner.end();
    }
    writeFileSync(
      join(work, 'heads.jsonl'),
      readFileSync(join(work, 'heads.jsonl'), 'utf8').replace('"seq":', '"seq":1'),
    );
    expect(await fleetstep('audit', 'verify', ...signed)).toMatchObject({ status: 2 });
  });

  it('sweep marks what is overdue, and says which', async () => {
    const owner = superuser(server);
    await owner`
      select autonomy_intend(${owner.json([
        {
          ...{ n: 0, company: 1, type: 'assign', key: 'k', attempt: '00000000-0000-4000-8000-000000000000' },
          ...{ description: 'd', data: {}, trigger: 't', dryRun: false, actSeconds: -10 },
        },
      ])})`;
    await owner.end();
    const { orphans } = await json<{ orphans: { companyId: number; actionType: string }[] }>('audit', 'sweep');
    expect(orphans).toEqual([expect.objectContaining({ companyId: 1, actionType: 'assign' })]);
    expect(await json('audit', 'sweep')).toEqual({ orphans: [] });
  });

  it('status, rollback and migrate tell and do what they say', async () => {
    const before = await json<{ current: boolean; separated: boolean; migrations: unknown[] }>('audit', 'status');
    expect(before).toMatchObject({ database: 'embedded', current: true, separated: true });
    const last = shippedMigrations()
      .slice(-2)
      .map(({ name }) => name);
    expect(await json('audit', 'rollback', '--steps', '2')).toEqual({ undone: last.toReversed() });
    expect(await json<object>('audit', 'status')).toMatchObject({ current: false });
    expect((await fleetstep('audit', 'status')).stdout).toMatch(
      new RegExp(`${last[0]} +[^\\d]+ no[^]*run "fleetstep audit migrate"`),
    );
    expect(await json('audit', 'migrate')).toEqual({ applied: last });
    const refused = await fleetstep('audit', 'rollback', '--steps', String(shippedMigrations().length));
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/would destroy.*--force/) as string });
    expect((await fleetstep('audit', 'migrate')).stdout).toBe('nothing to do\n');
  });

  it.each([
    [['audit', 'list', '--company', 'x'], /--company.*whole number/],
    [['audit', 'list', '--per-page', '201'], /--per-page.*1 to 200/],
    [['audit', 'list', '--page', '999'], /"page" is 999.*cursor/],
    [['audit', 'list', '--cursor', 'abc'], /"cursor" is "abc"/],
    [['audit', 'list', '--from', '2026-02-01', '--to', '2026-01-01'], /"to".*after "from"/],
    [['audit', 'list', '--type', 'fly'], /--type.*assign/],
    [['audit', 'show', '99999999'], /99999999/],
    [['audit', 'review', '1', '--notes', 'x'.repeat(1001)], /notes/],
    [['audit', 'settings', '77', '--mode', 'MANUAL'], /company 77/],
    [['audit', 'settings', '1', '--mode', 'AUTO'], /--mode.*MANUAL/],
    [['audit', 'limits', '1', '--set', 'all/week=3'], /all\/week=3.*reassign\/hour=10/],
    [['audit', 'stop'], /either --company <id> or --all/],
    [['audit', 'verify', '--heads', 'none.jsonl', '--public-key', 'key.pem.pub'], /none\.jsonl/],
    // A slip of the pen signs no prune with a new key.
    [
      ['audit', 'prune', '--company', '1', '--before', '2020-01-01', '--key', 'none.pem', '--yes'],
      /--key is none\.pem, which is not there/,
    ],
    [
      ['audit', 'prune', '--company', '1', '--before', '2999-01-01', '--yes', '--allow-under-six-months'],
      /"before" is 2999-01-01T00:00:00\.000Z: that has not come/,
    ],
    [['audit', 'fly'], /unknown command/],
    [['collect'], /--out/],
    [['collect', '--out', 'x', '--company', '77'], /company 77/],
  ])('%j is refused with a line that says what is wrong', async (args, message) => {
    const { status, stdout, stderr } = await fleetstep(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  it('ends with 1 and one line if the database is down, and with 2 if its address is none', async () => {
    const down = await fleetstepWith({ DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none' }, 'audit', 'list');
    expect([down.status, down.stdout]).toEqual([1, '']);
    expect(down.stderr).toMatch(/^fleetstep: .*127\.0\.0\.1:1/);
    expect(down.stderr).not.toContain('secret');
    expect(await fleetstepWith({ DATABASE_URL: 'mysql://x' }, 'audit', 'list')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/DATABASE_URL is no PostgreSQL URL/) as string,
    });
  });

  it('answers while the database is frozen: what was to be changed is not known to have taken effect', async () => {
    const { appUrl, ownerUrl } = server;
    const byUrl = { DATABASE_URL: appUrl };
    const changes: [Record<string, string>, string[], string][] = [
      [byUrl, ['stop', '--company', '1'], 'the stop of company 1'],
      [byUrl, ['stop', '--all'], 'the stop of all companies'],
      [byUrl, ['resume', '--company', '1'], 'the resumption of company 1'],
      [byUrl, ['limits', '1', '--set', 'all/hour=600'], 'the change of limits of company 1'],
      [byUrl, ['settings', '1', '--mode', 'MANUAL'], 'the change of settings of company 1'],
      [{}, ['stop', '--company', '1'], 'the stop of company 1'],
    ];
    const before = await json<Controls>('audit', 'settings', '1');
    signalServer(server, 'SIGSTOP');
    try {
      const [look, ...changed] = await Promise.all([
        fleetstepBeside(byUrl, 'audit', 'limits', '1'),
        ...changes.map(([env, args]) => fleetstepBeside(env, 'audit', ...args)),
      ]);
      expect([look.status, look.stdout]).toEqual([1, '']);
      expect(look.stderr).toMatch(/^fleetstep: the database did not answer within 2000 ms\n$/);
      for (const [k, { status, stdout, stderr }] of changed.entries()) {
        expect([status, stdout]).toEqual([1, '']);
        expect(stderr).toMatch(new RegExp(`^fleetstep: ${changes[k][2]} is not known to have taken effect: .*\\n$`));
      }
    } finally {
      signalServer(server, 'SIGCONT');
    }
    // Once it is back, both do what they say.
    const env = { DATABASE_URL: appUrl, DATABASE_OWNER_URL: ownerUrl };
    expect(await fleetstepWith(env, 'audit', 'stop', '--company', '1')).toMatchObject({
      status: 0,
      stdout: 'company 1: stopped\n',
    });
    await json('audit', 'resume', '--company', '1');
    await json('audit', 'resume', '--all');
    await json('audit', 'settings', '1', '--mode', before.settings.mode);
    expect((await json<Controls>('audit', 'settings', '1')).settings).toEqual({ ...before.settings, stopped: false });
  });

  it('works on a server by DATABASE_URL, with the application in its own role', async () => {
    const { appUrl, ownerUrl } = server;
    const env = { DATABASE_URL: appUrl, DATABASE_OWNER_URL: ownerUrl };
    const status = JSON.parse((await fleetstepWith(env, 'audit', 'status', '--json')).stdout) as object;
    expect(status).toMatchObject({ database: 'server', current: true, separated: true, superuser: false, both: [] });
    expect((await fleetstepWith(env, 'audit', 'list', '--per-page', '3')).stdout).toContain('3 shown');
    const root = superuser(server);
    await root`create role twofold login in role fleetstep_owner, fleetstep_app`;
    const warned = await fleetstepWith(env, 'audit', 'status');
    expect(warned.stdout).toMatch(/warning: role twofold may log in and is in both fleetstep_owner and fleetstep_app/);
    expect(JSON.parse((await fleetstepWith(env, 'audit', 'status', '--json')).stdout)).toMatchObject({
      both: ['twofold'],
    });
    await root`drop role twofold`;
    await root.end();
    const alike = await fleetstepWith({ DATABASE_URL: ownerUrl }, 'audit', 'status');
    expect(alike.stdout).toMatch(/warning: the application logs in as the owner/);
  });
});

describe('fleetstep collect', () => {
  it('writes a scenario that trains, its statistics, its quality and a measured baseline, and no ids', async () => {
    const summary = await json<{ days: number; baseline: Record<string, number>; quality: { faults: object } }>(
      ...['collect', '--days', '30', '--out', 'collected'],
    );
    expect(summary.days).toBe(10);
    expect(Object.keys(summary.baseline).sort()).toEqual([...heuristicNames].sort());
    expect(new Set(Object.values(summary.baseline)).size).toBeGreaterThan(2);
    const collected = join(work, 'collected');
    expect(readdirSync(collected).sort()).toEqual(
      ['baseline.json', 'quality.json', 'scenario.json', 'statistics.json', 'trips.msgpack'].sort(),
    );
    expect(readFileSync(join(collected, 'scenario.json'), 'utf8')).not.toMatch(/"(id|bookingId|driverId|address)"/);
    const evaluated = await json<{ meanReturn: number }>(
      ...['eval', '--scenario', 'collected/scenario.json', '--policy', 'edf', '--split', 'test'],
    );
    expect(Number.isFinite(evaluated.meanReturn)).toBe(true);
    const trained = await json<{ steps: number }>(
      ...['train', '--scenario', 'collected/scenario.json', '--steps', '2000', '--envs', '8', '--rollout-steps', '32'],
      ...['--minibatch', '128', '--backend', 'wasm', '--out', 'run'],
    );
    expect(trained.steps).toBe(2048);
    // Once more into the same folder: nothing is overwritten.
    const again = await fleetstep('collect', '--out', 'collected');
    expect(again).toMatchObject({ status: 2, stderr: expect.stringMatching(/collected is not empty/) as string });
    expect(existsSync(join(work, 'collected', 'scenario.json'))).toBe(true);
  });
});
