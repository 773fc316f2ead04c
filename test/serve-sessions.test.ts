// Sessions of a server that is not ours alone: defaults of roles and databases that would change results, and PgBouncer, which
// hands sessions on from one transaction to the next.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkWay, connect, databaseError, openDatabase, settled, verify } from '#audit/index.js';
import type { Connection, Database } from '#audit/index.js';
import { callService, easyRequest, testService } from './support/service.js';
import { superuser, testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';
import { pgbouncerMissing, startPgBouncer } from './support/pgbouncer.js';
import type { PgBouncer } from './support/pgbouncer.js';

/** What somebody may have set for all sessions, and what has to hold in ours. */
const hostile: readonly (readonly [name: string, theirs: string, ours: string])[] = [
  ['bytea_output', 'escape', 'hex'],
  ['DateStyle', 'SQL, DMY', 'ISO, MDY'],
  ['TimeZone', 'Asia/Kathmandu', 'UTC'],
  ['IntervalStyle', 'sql_standard', 'postgres'],
  ['search_path', 'elsewhere', 'public, pg_temp'],
  ['extra_float_digits', '-15', '1'],
  ['standard_conforming_strings', 'off', 'on'],
  ['transform_null_equals', 'on', 'off'],
  ['array_nulls', 'off', 'on'],
  ['row_security', 'off', 'on'],
  ['jit', 'on', 'off'],
  ['synchronous_commit', 'off', 'on'],
  ['default_transaction_isolation', 'serializable', 'read committed'],
  ['default_transaction_read_only', 'on', 'off'],
  ['default_transaction_deferrable', 'on', 'off'],
  ['statement_timeout', '1', '4321ms'],
  ['lock_timeout', '1', '4321ms'],
  ['idle_session_timeout', '100', '0'],
  ['idle_in_transaction_session_timeout', '1', '0'],
];

let made: TestDatabase;
let owner: Connection;

beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
  await owner.unsafe('create schema elsewhere');
});

afterAll(async () => {
  await owner.end();
  await made.remove();
});

/** For the time of `work`, the application's role or the whole database has hostile defaults. */
async function withDefaults(of: 'role' | 'database', work: () => Promise<void>): Promise<void> {
  const [{ name }] = await owner<{ name: string }[]>`select current_database() as name`;
  const subject = of === 'role' ? `role fleetstep_app in database ${name}` : `database ${name}`;
  await owner.begin(async (tx) => {
    for (const [setting, theirs] of hostile) {
      await tx.unsafe(`alter ${subject} set ${setting} = ${theirs.includes(',') ? theirs : `'${theirs}'`}`);
    }
  });
  try {
    await work();
  } finally {
    await owner.unsafe(`alter ${subject} reset all`);
  }
}

async function settingsOf(database: Database): Promise<(readonly [string, string])[]> {
  const connection = connect(database, { role: 'app', max: 1, statementTimeoutMs: 4321 });
  try {
    const names = hostile.map(([name]) => name);
    const rows = await settled(
      connection,
      (sql) => sql<{ name: string; value: string }[]>`
        select name, current_setting(name) as value
        from json_array_elements_text(${sql.json(names)}::json) as names (name)`,
    );
    return rows.map(({ name, value }) => [name, value] as const);
  } finally {
    await connection.end({ timeout: 1 });
  }
}

/** Asks, acts, stops, lists and replays through a way to the database. */
async function useAll(database: Database): Promise<void> {
  const service = await testService({ made, database });
  const admin = await service.token({ role: 'admin' });
  const auto = { ...easyRequest(service.company), mode: 'auto' };
  const { status, body } = await service.call('POST', '/v1/recommend', auto);
  expect([status, body.acts.map((act: { status: string }) => act.status)]).toEqual([200, Array(3).fill('dry_run')]);
  expect(body.provenance.recorded).toBe(true);
  const replay = await service.call('GET', `/v1/decisions/${body.provenance.decision_id as string}/replay`);
  expect(replay).toMatchObject({ status: 200, body: { same: true } });
  const { actions } = (await service.call('GET', '/api/admin/autonomous-actions', undefined, admin)).body;
  expect(actions).toHaveLength(3);
  expect(Math.abs(Date.parse(actions[0].created_at as string) - Date.now())).toBeLessThan(60_000);
  const limits = [
    { scope: 'assign', per: 'hour', kind: 'window', capacity: 20 },
    { scope: 'all', per: 'day', kind: 'window', capacity: 21 },
  ];
  expect((await service.call('PUT', '/api/admin/autonomy/limits', { limits }, admin)).status).toBe(200);
  // All or none.
  const half = [
    { scope: 'assign', per: 'hour', capacity: 7 },
    { scope: 'all', per: 'day', capacity: null },
  ];
  expect((await service.call('PUT', '/api/admin/autonomy/limits', { limits: half }, admin)).status).toBe(400);
  const shown = await service.call('GET', '/api/admin/autonomy/limits', undefined, admin);
  expect(shown.body.limits).toContainEqual(expect.objectContaining(limits[0]));
  const stop = await service.call('POST', '/api/admin/autonomy/kill-switch', { stopped: true }, admin);
  expect([stop.status, stop.body.settings.stopped]).toEqual([200, true]);
  const refused = await service.call('POST', '/v1/recommend', auto);
  expect(refused.body.acts[0].refusal.reason).toBe('kill_switch');
  const go = await service.call('POST', '/api/admin/autonomy/kill-switch', { stopped: false }, admin);
  expect([go.status, go.body.settings.stopped]).toEqual([200, false]);
  expect((await callService(service.url, 'GET', '/ready')).status).toBe(200);
  // Many at once, on few sessions of the server: none hangs, none gets another's answer.
  const { bookings } = service.company;
  let k = 0;
  const ask = async (): Promise<void> => {
    while (k < 200) {
      const booking = bookings[k % 3];
      const path = `/api/admin/autonomous-actions?booking_id=${booking}&per_page=${2 + (k++ % 5)}`;
      const reply = await service.call('GET', path, undefined, admin);
      expect(reply.status).toBe(200);
      expect(reply.body.actions.map((one: { booking_id: number }) => one.booking_id)).toEqual([booking, booking]);
    }
  };
  await Promise.all(Array.from({ length: 40 }, ask));
  await service.close();
}

describe('defaults of a role or a database', () => {
  it('hold not in our sessions, whoever connects', async () => {
    for (const of of ['role', 'database'] as const) {
      await withDefaults(of, async () => {
        expect(await settingsOf(made.database)).toEqual(hostile.map(([name, , ours]) => [name, ours]));
      });
    }
  });

  it('nor do those of the URL', async () => {
    const database = {
      ...made.database,
      appUrl: `${made.database.appUrl}?bytea_output=escape&Search_Path=elsewhere&role=none&client_encoding=LATIN1`,
    };
    expect(await settingsOf(database)).toEqual(hostile.map(([name, , ours]) => [name, ours]));
  });

  it('change nothing of what is recorded, listed, replayed and verified', async () => {
    await withDefaults('database', async () => {
      await useAll(made.database);
      expect(await verify(made.database)).toMatchObject({ ok: true });
    });
  });

  it('a time zone that is not known is reported as that', async () => {
    const asked = owner`select now() at time zone ${'Mars/Olympus'}`;
    const error = await asked.then(
      () => null,
      (thrown: unknown) => databaseError(thrown),
    );
    expect(error).toMatchObject({
      code: 'ERR_FIELD',
      message: expect.stringMatching(
        /^company\.time_zone is not known to the database \(.*Mars\/Olympus.*\): set it to/,
      ),
    });
  });
});

describe.skipIf(pgbouncerMissing())('PgBouncer', () => {
  let bouncer: PgBouncer;

  beforeAll(async () => {
    bouncer = await startPgBouncer(made.database, 'transaction');
  });

  afterAll(async () => {
    await bouncer.close();
  });

  it('in transaction mode carries everything, once it is said that it is there', async () => {
    const way = bouncer.way('?pgbouncer=true');
    await checkWay(way);
    await useAll(way);
  });

  it('has our settings, and the application’s role alone, in each transaction, whatever its sessions were left with', async () => {
    const way = bouncer.way('?pgbouncer=true');
    // Somebody else in the same pool leaves his settings behind.
    const other = connect(way, { role: 'app', max: 1 });
    for (const [name, theirs] of hostile.filter(([setting]) => !setting.includes('timeout'))) {
      await other.unsafe(`set ${name} = ${theirs.includes(',') ? theirs : `'${theirs}'`}`);
    }
    await other.end();
    const names = new Set(['default_transaction_isolation', 'default_transaction_read_only']);
    const found = (await settingsOf(way)).filter(([name]) => !names.has(name));
    expect(found).toEqual(hostile.filter(([name]) => !names.has(name)).map(([name, , ours]) => [name, ours]));
    await useAll(way);
  });

  it('is refused at the start where nothing is said of it, with the remedy', async () => {
    const ignoring = await startPgBouncer(made.database, 'transaction', {
      lines: `ignore_startup_parameters = ${hostile.map(([name]) => name.toLowerCase()).join(',')},role`,
    });
    for (const way of [bouncer.way(''), bouncer.way('?pgbouncer=false'), ignoring.way('')]) {
      await expect(checkWay(way)).rejects.toMatchObject({
        code: 'ERR_FIELD',
        message: expect.stringMatching(/^DATABASE_URL leads through .*PgBouncer.*: add "\?pgbouncer=true"/) as string,
      });
    }
    await ignoring.close();
  });

  it('in statement mode is refused, as nothing could be done in one transaction', async () => {
    const statements = await startPgBouncer(made.database, 'statement');
    await expect(checkWay(statements.way('?pgbouncer=true'))).rejects.toMatchObject({
      code: 'ERR_FIELD',
      message: expect.stringMatching(/pool_mode = statement\): set pool_mode = transaction/) as string,
    });
    await statements.close();
  });

  it('is no word to be mistyped', async () => {
    const url = 'postgres://x@127.0.0.1/x?pgbouncer=yes';
    await expect(openDatabase({ url })).rejects.toThrow('DATABASE_URL has pgbouncer=yes: expected true or false');
  });
});
