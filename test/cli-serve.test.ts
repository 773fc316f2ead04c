// The commands of the service, as they are typed.

import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';
import { openServer, reachableFolder, testDatabase } from './support/database.js';
import { callService } from './support/service.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'dist/cli/main.js');
const state = join(root, 'docs/state.json');
let folder: string;

beforeAll(() => {
  folder = reachableFolder();
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(...args: string[]): Promise<Ended> {
  const env = { ...process.env, FLEETSTEP_DATA: join(folder, 'data'), DATABASE_URL: '', NO_COLOR: '1' };
  return runInProcess(args, { cwd: folder, env });
}

interface Served {
  readonly child: ChildProcess;
  readonly url: string;
  readonly token: string;
  readonly lines: string[];
  readonly ended: Promise<number | null>;
}

async function serve(...args: string[]): Promise<Served> {
  const env = { ...process.env, FLEETSTEP_DATA: join(folder, 'data'), DATABASE_URL: '' };
  const child = spawn(process.execPath, [main, 'serve', '--port', '0', '--json', ...args], { env, cwd: folder });
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  const lines: string[] = [];
  const ready = new Promise<void>((done, failed) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      done();
    });
    void ended.then((code) => failed(new Error(`ended with ${String(code)}`)));
  });
  child.stderr.resume();
  await ready;
  const { url, token } = JSON.parse(lines[0]) as { url: string; token: string };
  return { child, url, token, lines, ended };
}

describe('fleetstep recommend', () => {
  it('answers a file as the service would, as a table or as JSON, and takes stdin', async () => {
    const pretty = await run('recommend', '-i', state);
    expect(pretty.status).toBe(0);
    expect(pretty.stdout).toMatch(/09:00 Europe\/Zurich, policy planner/);
    expect(pretty.stdout).toMatch(/waiting +106: .*; ask again at 2025-11-24 10:00\n/);
    expect(pretty.stdout).toMatch(/unassigned 105: vehicles 1, 3, 2 lack a required skill/);
    const { status, stdout } = await run('recommend', '-i', state, '--policy', 'edf', '--explain', '--json');
    const answer = JSON.parse(stdout);
    expect([status, answer.provenance.policy, answer.provenance.recorded]).toEqual([0, 'edf', false]);
    expect(answer.assignments[0].what_if.futures).toBeGreaterThan(0);
    const piped = spawnSync(process.execPath, [main, 'recommend', '-i', '-', '--json'], {
      input: readFileSync(state),
      encoding: 'utf8',
    });
    expect(JSON.parse(piped.stdout).assignments).toHaveLength(2);
  });

  it('says what is wrong in one line', async () => {
    const bad = join(folder, 'bad.json');
    for (const [text, args, message] of [
      ['{', [], /bad\.json is not valid JSON/],
      ['[1]', [], /bad\.json is not a JSON object: expected a request/],
      [
        '{"as_of": 1, "vehicles": [{"id": 1}], "shipments": []}',
        [],
        /vehicles\[0\]\.start is missing: it is required where the request has no matrices/,
      ],
      [
        '{"as_of": 1, "vehicles": [], "shipments": []}',
        ['--policy', 'nobody'],
        /policy is "nobody": expected one of planner/,
      ],
      ['{"as_of": 1, "vehicles": [], "shipments": []}', ['--run', 'nowhere'], /no run at nowhere/],
    ] as const) {
      writeFileSync(bad, text);
      const { status, stdout, stderr } = await run('recommend', '-i', bad, ...args);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(message);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
    const full = spawnSync('sh', ['-c', `"${process.execPath}" "${main}" recommend -i "${state}" > /dev/full`], {
      encoding: 'utf8',
    });
    expect([full.status, full.stderr]).toEqual([
      1,
      expect.stringMatching(/^fleetstep: cannot write the output: ENOSPC.*\n$/),
    ]);
    expect((await run('recommend', '-i', 'missing.json')).stderr).toMatch(/cannot read missing\.json/);
  });

  it('tells on stderr what is wrong in shipments, and fails where all of them are at fault', async () => {
    const file = join(folder, 'shipments.json');
    const stop = { location: [6.14, 46.2] };
    const good = { id: 1, pickup: stop, delivery: stop };
    const request = { as_of: 32_400, time_zone: 'Europe/Zurich', vehicles: [{ id: 1, start: [6.14, 46.2] }] };
    const ask = async (shipments: readonly object[], ...args: string[]): Promise<ReturnType<typeof run>> => {
      writeFileSync(file, JSON.stringify({ ...request, shipments }));
      return await run('recommend', '-i', file, ...args);
    };
    const bad = { id: 2, pickup: { ...stop, setup: 1, tools: [] }, delivery: stop };
    const told = [
      'fleetstep: shipments[0].pickup.setup is not a known field: it belongs to whole routes: set options.format to "vroom"',
      'fleetstep: shipments[0].pickup.tools is not a known field: the known fields here are id, description, location, location_index, service, time_windows',
    ];
    const all = await ask([bad]);
    expect([all.status, all.stderr.trim().split('\n')]).toEqual([2, told]);
    const one = await ask([bad, good], '--json');
    expect([one.status, one.stderr.trim().split('\n')]).toEqual([0, told]);
    expect(await ask([], '--json')).toMatchObject({ status: 0, stderr: '' });
    // A clock that counts from a midnight is shown as it is.
    const { status, stdout, stderr } = await ask([good]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^09:00 Europe\/Zurich, policy/);
    const tomorrow = { ...good, pickup: { ...stop, time_windows: [[86_400 + 32_400, 86_400 + 36_000]] } };
    expect((await ask([tomorrow])).stdout).toMatch(/; ask again at day 2, 07:00\n/);
    expect((await run('recommend', '--help')).stdout).toMatch(
      /Exit codes: 0 if there is an answer;\n2 if the request is not valid/,
    );
  });

  it('keeps its exit code where the reader has gone, or nothing can be told', () => {
    const file = join(folder, 'faulty.json');
    writeFileSync(file, JSON.stringify({ as_of: 1, vehicles: [], shipments: [{ id: 1 }] }));
    const shell = (rest: string): number | null =>
      spawnSync('bash', ['-c', `"${process.execPath}" "${main}" recommend ${rest}; exit \${PIPESTATUS[0]}`]).status;
    expect(shell(`-i "${state}" --json | true`)).toBe(0);
    expect(shell(`-i "${file}" --json | true`)).toBe(2);
    expect(shell(`-i "${file}" 2> /dev/full`)).toBe(2);
    expect(shell(`-i "${file}" > /dev/full 2> /dev/full`)).toBe(1);
  });
});

describe('fleetstep serve', () => {
  it('is ready when it says so, on one line, serves a simulated company, and leaves when told to', async () => {
    const { child, url, token, lines, ended } = await serve('--dev-token', 'dispatcher');
    expect((await callService(url, 'GET', '/ready')).body).toEqual({ ready: true, database: true, draining: false });
    const { status, body } = await callService(url, 'POST', '/v1/recommend', readFileSync(state, 'utf8'), token);
    expect([status, body.assignments.length]).toEqual([200, 2]);
    // While it runs, beside it.
    const driven = await run('drive', '--url', url, '--token', token, '--tick-ms', '0', '--json');
    expect(driven.status).toBe(0);
    const { asked, recommended, taken } = JSON.parse(driven.stdout);
    expect(asked).toBe(96);
    expect(taken).toBeGreaterThan(20);
    expect(recommended - taken).toBeLessThan(2);
    const listed = await callService(url, 'GET', '/v1/decisions?limit=200', undefined, token);
    expect(listed.body.decisions).toHaveLength(97);
    // Told to end, it says what the day came to so far.
    const early = spawn(process.execPath, [
      main,
      'drive',
      '--url',
      url,
      '--token',
      token,
      '--tick-ms',
      '600000',
      '--json',
    ]);
    const said = new Promise<string>((done) => early.stdout.once('data', (data: Buffer) => done(data.toString())));
    while ((await callService(url, 'GET', '/v1/decisions?limit=200', undefined, token)).body.decisions.length < 98) {
      await new Promise((done) => setTimeout(done, 50));
    }
    early.kill('SIGINT');
    expect(JSON.parse(await said)).toMatchObject({ over: false, asked: 1 });
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(lines).toHaveLength(1);
  });

  it('says before anybody asks that the database is gone, or lacks its tables', async () => {
    const url = 'postgres://nobody:x@127.0.0.1:9/none';
    const args = [main, 'serve', '--port', '0', '--json', '--log-level', 'silent'];
    const env = { ...process.env, FLEETSTEP_DATA: join(folder, 'data'), DATABASE_URL: url, DATABASE_OWNER_URL: url };
    const child = spawn(process.execPath, args, { env, cwd: folder });
    const said = new Promise<string>((done) => child.stderr.once('data', (data: Buffer) => done(data.toString())));
    const line = new Promise<string>((done) => child.stdout.once('data', (data: Buffer) => done(data.toString())));
    expect(await said).toMatch(
      /ECONNREFUSED.*until the database answers, recommendations are answered without a record/,
    );
    const service = (JSON.parse(await line) as { url: string }).url;
    expect((await callService(service, 'GET', '/ready')).status).toBe(503);
    child.kill('SIGTERM');
    await new Promise((done) => child.once('exit', done));
    const empty = await testDatabase({ migrated: false });
    const { appUrl, ownerUrl } = empty.database;
    const bare = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      env: { ...env, DATABASE_URL: appUrl, DATABASE_OWNER_URL: ownerUrl },
      cwd: folder,
    });
    expect([bare.status, bare.stderr]).toEqual([
      2,
      expect.stringMatching(
        /the database lacks the migrations 0001-fleet, .*: run "fleetstep audit migrate"/,
      ) as string,
    ]);
    await empty.remove();
  });

  it('says what is wrong: a port that is taken, a role that is none, a webhook without a secret', async () => {
    // Held open, so that each command below need not start it.
    const database = await openServer(join(folder, 'data'));
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const { port } = taken.address() as AddressInfo;
    const busy = await run('serve', '--port', String(port));
    expect([busy.status, busy.stdout]).toEqual([2, '']);
    expect(busy.stderr).toMatch(/port \d+ is in use: choose another with --port/);
    await new Promise((done) => taken.close(done));
    expect(await run('serve', '--dev-token', 'owner')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/role|Allowed/) as string,
    });
    const webhook = await run('serve', '--webhook', 'https://x.example');
    expect([webhook.status, webhook.stderr.includes('FLEETSTEP_WEBHOOK_SECRET is missing')]).toEqual([2, true]);
    for (const [args, message] of [
      [['--keys', 'mistyped.json'], /there is no key file mistyped\.json: make one with "fleetstep token --new-key/],
      [['--company', '99'], /--company is 99: expected one of 1$/],
      [['--tiles', 'https://tile.example/{z}.png'], /the tile template is/],
    ] as const) {
      const wrong = await run('serve', '--port', '0', ...args);
      expect([wrong.status, wrong.stdout, wrong.stderr.trim()]).toEqual([2, '', expect.stringMatching(message)]);
    }
    expect(existsSync(join(folder, 'mistyped.json'))).toBe(false);
    // What an operator sees who looks for the cause: how far the start came.
    const { stderr } = spawnSync(process.execPath, [main, 'serve', '--port', '0', '--tiles', 'none'], {
      encoding: 'utf8',
      env: { ...process.env, FLEETSTEP_DATA: join(folder, 'data'), DATABASE_URL: '', NODE_DEBUG: 'fleetstep:serve' },
      cwd: folder,
    });
    expect([...stderr.matchAll(/^FLEETSTEP:SERVE \d+: (\w+)/gm)].map(([, word]) => word)).toEqual([
      'database',
      'policies',
      'database',
      'closed',
    ]);
    expect((await run('drive', '--url', 'http://127.0.0.1:9', '--token', 'x')).stderr).toMatch(/no service at/);
    await database.close();
  });
});

describe('fleetstep token', () => {
  it('issues tokens, makes keys readable by their owner alone, and refuses what makes no sense', async () => {
    const keys = join(mkdtempSync(join(tmpdir(), 'fleetstep-keys-')), 'keys.json');
    // A name that is mistyped makes no file of its own.
    const mistyped = await run('token', '--keys', keys, '--role', 'admin');
    expect([mistyped.status, existsSync(keys)]).toEqual([2, false]);
    expect((await run('token', '--keys', keys, '--new-key')).stderr).toMatch(/^new key /);
    const { status, stdout } = await run('token', '--keys', keys, '--role', 'viewer', '--company', '3', '--json');
    expect(status).toBe(0);
    const { token, role, company } = JSON.parse(stdout);
    expect([token.split('.').length, role, company]).toEqual([3, 'viewer', 3]);
    const second = await run('token', '--keys', keys, '--new-key', 'HS256', '--role', 'admin');
    const [head] = second.stdout.split('.');
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toMatchObject({ alg: 'HS256' });
    expect((JSON.parse(readFileSync(keys, 'utf8')) as { keys: unknown[] }).keys).toHaveLength(2);
    expect((await run('token', '--keys', keys, '--role', 'dispatcher')).stderr).toMatch(
      /a dispatcher belongs to one company/,
    );
    writeFileSync(keys, '{}');
    expect((await run('token', '--keys', keys, '--role', 'admin')).stderr).toMatch(/has no keys/);
  });
});
