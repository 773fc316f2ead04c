// The record on a server with the settings that PostgreSQL ships with, under settings of a database that try to change what
// it does, and beside functions that others have planted.

import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Recorder, connect, listActions, migrate, readControls, setLimits, settled, verify } from '#audit/index.js';
import type { Connection } from '#audit/index.js';
import { addCompany, slowProxy, superuser, testDatabase } from './support/database.js';
import type { TestCompany, TestDatabase } from './support/database.js';

let made: TestDatabase;
let owner: Connection;
let company: TestCompany;
beforeAll(async () => {
  made = await testDatabase({ stock: true });
  owner = superuser(made);
  company = await addCompany(owner);
});
afterAll(async () => {
  await owner.end();
  await made.remove();
});

interface Verdict {
  readonly id: number;
  readonly status: string;
  readonly refusal: { readonly message: string } | null;
}

/** An intent as any client of the application's login may ask for it. */
async function intend(sql: Sql, changes: Record<string, unknown> = {}): Promise<Verdict> {
  const intent = {
    n: 0,
    company: company.id,
    type: 'assign',
    key: randomUUID(),
    attempt: randomUUID(),
    description: 'é',
    data: { a: 0.1, deep: [null, 'x'] },
    trigger: 'test',
    dryRun: false,
    actSeconds: 60,
    confidence: 0.1,
    ...changes,
  };
  const [row] = await sql<[Verdict]>`
    select id::integer as id, status, refusal from public.autonomy_intend(${sql.json([intent])})`;
  return row;
}

async function finish(sql: Sql, id: number): Promise<void> {
  await sql`
    select public.autonomy_outcomes(${sql.json([{ id, status: 'succeeded', ms: 0.1, error: null }])})`;
}

describe("PostgreSQL's own settings", () => {
  it('let an act through within the default deadline, with jit on', async () => {
    const app = postgres(made.database.appUrl, { max: 1 });
    const [{ jit }] = await app<[{ jit: string }]>`select current_setting('jit') as jit`;
    // Version 18 still ships with it on; where it is built without, there is nothing to compile.
    expect(jit).toBe('on');
    await app.end();
    const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
    const act = await recorder.act(
      { companyId: company.id, actionType: 'assign', description: 'x', triggerSource: 'test' },
      () => 'done',
    );
    expect(act).toMatchObject({ status: 'succeeded', value: 'done', outcomeRecorded: true });
    await recorder.close();
  });

  it('compile nothing within the functions that the application calls, whatever the threshold', async () => {
    const plans: string[] = [];
    const root = postgres(made.superuserUrl, { max: 1, onnotice: ({ message }) => plans.push(message ?? '') });
    await root.unsafe(`load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on;
      set auto_explain.log_nested_statements = on; set client_min_messages = log; set jit_above_cost = 0`);
    const { id } = await intend(root);
    await finish(root, id);
    await root`select public.autonomy_limit(${company.id}::bigint, 'all'::text, 'day'::text, null, 499, 'eve'::text)`;
    await root`select from public.autonomy_sweep(5)`;
    // What they do inside, and not the statements that call them.
    const inside = plans.filter(
      (plan) => plan.includes('Query Text') && !/Query Text:\s*select .*public\.autonomy_/s.test(plan),
    );
    expect(inside.length).toBeGreaterThan(20);
    expect(inside.filter((plan) => plan.includes('JIT:'))).toEqual([]);
    // Where this server can compile at all, it does so for a statement that has no settings of its own.
    const [{ can }] = await root<[{ can: boolean }]>`select pg_jit_available() as can`;
    plans.length = 0;
    await root`select count(*) from public.booking`;
    expect(plans.some((plan) => plan.includes('JIT:'))).toBe(can);
    await root.end();
  });

  it('are not what any function with the rights of the owner depends on', async () => {
    const functions = await owner<{ name: string; config: string }[]>`
      select p.proname as name, coalesce(array_to_string(p.proconfig, '; '), '') as config from pg_proc p
      where p.pronamespace = 'public'::regnamespace and p.prosecdef order by 1`;
    expect(functions.length).toBeGreaterThan(10);
    expect(functions.filter(({ config }) => !config.includes('search_path=pg_catalog, pg_temp'))).toEqual([]);
  });
});

/** Settings of a database or a role that change texts, names or plans, as somebody else's server may have them. */
const HOSTILE = [
  'bytea_output = escape',
  `"DateStyle" = 'SQL, DMY'`,
  `"TimeZone" = 'Asia/Kathmandu'`,
  'extra_float_digits = -15',
  `"IntervalStyle" = 'sql_standard'`,
  'search_path = elsewhere',
  'enable_indexscan = off',
  'enable_bitmapscan = off',
  'enable_nestloop = off',
  'enable_sort = off',
  'join_collapse_limit = 1',
  'jit = on',
  'jit_above_cost = 0',
  'jit_inline_above_cost = 0',
  'jit_optimize_above_cost = 0',
  'plan_cache_mode = force_custom_plan',
  'transform_null_equals = on',
];

describe('settings of a database that are not ours', () => {
  beforeAll(async () => {
    await owner`create schema elsewhere`;
    for (const setting of HOSTILE) await owner.unsafe(`alter database fleetstep set ${setting}`);
  });
  afterAll(async () => {
    await owner.unsafe('alter database fleetstep reset all');
  });

  it('change nothing that the functions put on record', async () => {
    // As a client that says nothing of its settings.
    const app = postgres(made.database.appUrl, { max: 1 });
    const [{ style }] = await app<[{ style: string }]>`select current_setting('DateStyle') as style`;
    expect(style).toBe('SQL, DMY');
    const { id, status } = await intend(app);
    expect(status).toBe('intended');
    await finish(app, id);
    await app`
      select public.autonomy_configure(${company.id}::bigint, ${app.json({ adjust_time_max_minutes: 10.1 })}::jsonb, 'eve'::text)`;
    const [entry] = await owner<[{ minutes: number }]>`
      select (detail -> 'after' -> 'adjust_time_max_minutes')::double precision as minutes from audit_ledger
      where company_id = ${company.id} and kind = 'settings' order by seq desc limit 1`;
    expect(entry.minutes).toBe(10.1);
    const late = await intend(app, { type: 'adjust_time', delay: 10.2 });
    expect(late.refusal?.message).toBe('a delay of 10.2 minutes is beyond 10.1');
    await app`select public.autonomy_limit(${company.id}::bigint, 'assign'::text, 'hour'::text, null, 1, 'eve'::text)`;
    await intend(app);
    const full = await intend(app);
    expect(full.refusal).toMatchObject({ reason: 'limit', bucket: 'assign/hour' });
    expect((full.refusal as unknown as { retryAt: string }).retryAt).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    );
    await app.end();
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('change nothing for whoever connects as we do', async () => {
    await setLimits(owner, company.id, [{ scope: 'assign', per: 'hour', capacity: 100 }], 'test');
    const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
    const act = await recorder.act(
      { companyId: company.id, actionType: 'assign', description: 'x', triggerSource: 'test', data: { k: 1 } },
      () => undefined,
    );
    await recorder.close();
    const app = connect(made.database, { role: 'app', max: 1 });
    const { actions } = await listActions(app, { companyId: company.id, from: new Date(Date.now() - 600_000) });
    expect(actions[0]).toMatchObject({ id: act.actionId, status: 'succeeded', action_data: { k: 1 } });
    expect(Math.abs(actions[0].created_at.getTime() - Date.now())).toBeLessThan(600_000);
    expect((await readControls(app, company.id)).settings.adjustTimeMaxMinutes).toBe(10.1);
    await app.end();
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('end no transaction of ours, on a server that is known already or not', async () => {
    const [{ known }] = await owner<[{ known: boolean }]>`
      select current_setting('transaction_timeout', true) is not null as known`;
    const setting = owner.unsafe(`alter database fleetstep set transaction_timeout = '150ms'`);
    // Before 17 there is none: nothing can be set, and connections open all the same.
    if (known) await setting;
    else await expect(setting).rejects.toMatchObject({ code: '42704' });
    // Its port has never been talked to; then it has.
    const proxy = await slowProxy(Number(new URL(made.database.appUrl).port));
    const through = new URL(made.database.appUrl);
    through.port = String(proxy.port);
    const database = { ...made.database, appUrl: through.href };
    for (let round = 0; round < 2; round++) {
      const app = connect(database, { role: 'app', max: 2 });
      const slow = (sql: Sql): Promise<unknown> => sql`select pg_sleep(0.5)`;
      await Promise.all([
        settled(app, slow),
        settled(app, slow),
        app.begin(async (tx) => {
          for (let k = 0; k < 3; k++) await tx`select pg_sleep(0.1)`;
        }),
      ]);
      // A connection that is opened anew is set alike.
      await app`select pg_terminate_backend(pg_backend_pid())`.catch(() => undefined);
      await settled(app, slow);
      await app.end({ timeout: 1 });
    }
    await proxy.close();
    expect(await verify(made.database)).toMatchObject({ ok: true });
    await owner.unsafe('alter database fleetstep reset all');
    for (const hostile of HOSTILE) await owner.unsafe(`alter database fleetstep set ${hostile}`);
  });

  it('do not keep migrations from their schema', async () => {
    await owner`create database other owner fleetstep_owner`;
    await owner`alter database other set search_path = elsewhere`;
    const url = (text: string): string => text.replace(/\/fleetstep$/, '/other');
    const database = { ...made.database, ownerUrl: url(made.database.ownerUrl), appUrl: url(made.database.appUrl) };
    const root = postgres(url(made.superuserUrl), { max: 1 });
    await root`create schema elsewhere authorization fleetstep_owner`;
    await migrate(database);
    const tables = await root<{ schema: string }[]>`
      select distinct relnamespace::regnamespace::text as schema from pg_class
      where relkind = 'r' and relname in ('company', 'audit_ledger', 'schema_migration')`;
    expect([...tables]).toEqual([{ schema: 'public' }]);
    await root.end();
  });
});

describe('functions and operators that others have planted', () => {
  /** Each would note who calls it, and answer wrongly. */
  const PLANTED = [
    `create function public.convert_to(text, text) returns bytea language plpgsql as $$ begin perform public.caught(); return 'forged'; end $$`,
    `create function public.encode(bytea, name) returns text language plpgsql as $$ begin perform public.caught(); return 'forged'; end $$`,
    `create function public.length(name) returns integer language plpgsql as $$ begin perform public.caught(); return 1; end $$`,
    `create function public.format(text, double precision, double precision) returns text language plpgsql as $$ begin perform public.caught(); return 'x'; end $$`,
    `create function public.jsonb_build_object(text, text, text, text) returns jsonb language plpgsql as $$ begin perform public.caught(); return '{}'; end $$`,
    `create function public.jsonb_build_array(ledger_kind, bigint, jsonb, bigint) returns jsonb language plpgsql as $$ begin perform public.caught(); return '[]'; end $$`,
    `create function public.make_interval(secs double precision) returns interval language plpgsql as $$ begin perform public.caught(); return '1 year'; end $$`,
    `create function public.date_trunc(name, timestamptz) returns timestamptz language plpgsql as $$ begin perform public.caught(); return '2000-01-01'; end $$`,
    `create function public.tested(action_status, text) returns boolean language plpgsql as $$ begin perform public.caught(); return true; end $$`,
    `create operator public.= (leftarg = action_status, rightarg = text, function = public.tested)`,
    `create function public.tested(ledger_kind, text) returns boolean language plpgsql as $$ begin perform public.caught(); return true; end $$`,
    `create operator public.= (leftarg = ledger_kind, rightarg = text, function = public.tested)`,
    `create function public.tested(integer, bigint) returns boolean language plpgsql as $$ begin perform public.caught(); return true; end $$`,
    `create operator public.< (leftarg = integer, rightarg = bigint, function = public.tested)`,
    `create function public.joined(bytea, text) returns bytea language plpgsql as $$ begin perform public.caught(); return 'x'; end $$`,
    `create operator public.|| (leftarg = bytea, rightarg = text, function = public.joined)`,
  ];

  it('get no rights of the owner, and change no digest', async () => {
    await owner`grant create on schema public to fleetstep_app`;
    await owner`create table public.caught_as (who text)`;
    await owner`grant insert on public.caught_as to public`;
    const app = postgres(made.database.appUrl, { max: 1 });
    await app.unsafe(`create function public.caught() returns void language sql as $$
      insert into public.caught_as select current_user $$`);
    for (const statement of PLANTED) await app.unsafe(statement);
    const { id } = await intend(app, { type: 'reassign' });
    await finish(app, id);
    await intend(app, { type: 'adjust_time', delay: 1000 });
    await app`select public.autonomy_review(${id}::bigint, 'ann'::text, null)`;
    await app`
      select public.autonomy_configure(${company.id}::bigint, ${app.json({ adjust_time_max_minutes: 7 })}::jsonb, 'eve'::text)`;
    await app`select public.autonomy_limit(${company.id}::bigint, 'all'::text, 'hour'::text, null, 45, 'eve'::text)`;
    await app`select from public.autonomy_sweep(5)`;
    expect(await owner`select who from public.caught_as`).toEqual([]);
    // The digests are those of the built-in functions, whatever is found in `public`.
    const [digests] = await owner<[{ stored: string; again: string }]>`
      select encode(l.digest, 'hex') as stored, encode(public.audit_birth_digest('intended', a), 'hex') as again
      from audit_ledger l join autonomous_action a on a.id = l.action_id and a.seq = l.seq where a.id = ${id}`;
    expect(digests.again).toBe(digests.stored);
    expect(await owner`select who from public.caught_as`).toEqual([]);
    await app.end();
  });
});
