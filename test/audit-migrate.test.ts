import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Recorder,
  allowsOwnApproval,
  configure,
  connect,
  listActions,
  migrate,
  migrationStates,
  readControls,
  rollback,
  schemaCreators,
  verify,
} from '#audit/index.js';
import type { Connection } from '#audit/index.js';
import { shippedMigrations } from '#audit/migrate.js';
import { addCompany, superuser, testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';

const shipped = shippedMigrations().length;
/** Steps back that take this migration and all later ones. */
const from = (version: number): number => shipped - version + 1;

let made: TestDatabase;
let owner: Connection;
beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
});
afterAll(async () => {
  await owner.end();
  await made.remove();
});

/** Every table with its rows, whatever their order. */
async function contents(): Promise<Record<string, unknown>> {
  const tables = await owner<{ name: string }[]>`
    select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
      and relname <> 'schema_migration' order by 1`;
  const found: Record<string, unknown> = {};
  for (const { name } of tables) {
    found[name] = (await owner`select to_jsonb(t) as row from ${owner(name)} t order by to_jsonb(t)::text`).map(
      ({ row }) => row as unknown,
    );
  }
  return found;
}

async function act(companyId: number, count: number): Promise<void> {
  const recorder = new Recorder(made.database, { deadlineMs: 20_000 });
  for (let k = 0; k < count; k++) {
    await recorder.act({ companyId, actionType: 'assign', description: 'x', triggerSource: 'test' }, () => k);
  }
  await recorder.close();
}

describe('migrations', () => {
  it('go down and up again on data, and nothing else is lost', async () => {
    const company = await addCompany(owner);
    await act(company.id, 3);
    const before = await contents();
    const all = await migrationStates(owner);

    // From the fourth on they hold functions, and tables that are still empty: nothing that anybody did depends on them.
    const undone = await rollback(made.database, from(4), false);
    expect(undone.map(({ version }) => version)).toEqual(Array.from({ length: from(4) }, (_, k) => all.length - k));
    /** A later migration may add entries, and takes none away. */
    const keepsLedger = (now: Record<string, unknown>, then: Record<string, unknown>): void => {
      for (const entry of then['audit_ledger'] as unknown[]) expect(now['audit_ledger']).toContainEqual(entry);
    };
    const fleetAndRecord = ['company', 'driver', 'booking', 'autonomous_action', 'action_review'];
    const bare = await contents();
    for (const table of fleetAndRecord) expect(bare[table]).toEqual(before[table]);
    expect((await migrate(made.database)).map(({ version }) => version)).toEqual(
      Array.from({ length: from(4) }, (_, k) => 4 + k),
    );
    const renewed = await contents();
    keepsLedger(renewed, before);
    for (const table of Object.keys(before).filter((name) => !/^audit_(ledger|head)$/.test(name))) {
      expect(renewed[table], table).toEqual(before[table]);
    }
    expect(await verify(made.database)).toMatchObject({ rows: 3, ok: true });
    await act(company.id, 1);

    // Limits and settings, and then the record, go only by force; the fleet stays.
    const record = await contents();
    await expect(rollback(made.database, from(3), false)).rejects.toMatchObject({ code: 'ERR_MIGRATION' });
    await expect(rollback(made.database, from(2), false)).rejects.toMatchObject({ code: 'ERR_MIGRATION' });
    expect(await contents()).toEqual(record);
    await rollback(made.database, from(3), true);
    await migrate(made.database);
    const again = await contents();
    for (const table of fleetAndRecord) expect(again[table]).toEqual(record[table]);
    keepsLedger(again, record);
    expect(again['token_bucket']).toHaveLength(14);

    await expect(rollback(made.database, from(2), false)).rejects.toMatchObject({
      code: 'ERR_MIGRATION',
      message: expect.stringMatching(/autonomous_action.*--force/) as string,
    });
    expect(await contents()).toEqual(again);
    await rollback(made.database, from(2), true);
    const fleet = await contents();
    expect(Object.keys(fleet)).toEqual(['booking', 'company', 'driver']);
    expect(fleet['booking']).toEqual(before['booking']);
    await expect(rollback(made.database, 1, false)).rejects.toThrow(/company/);

    await migrate(made.database);
    expect((await migrationStates(owner)).map(({ name }) => name)).toEqual(all.map(({ name }) => name));
    await owner.unsafe(
      `select autonomy_configure(${company.id}, '{"mode": "FULLY_AUTO", "auto_assign": true}', 'test')`,
    );
    await act(company.id, 2);
    expect(await verify(made.database)).toMatchObject({ rows: 2, ok: true });
  });

  it('are not taken back where a switch, a mode, a rule, a limit or a count would be lost', async () => {
    await rollback(made.database, shipped, true);
    await migrate(made.database);
    const [{ id }] = await owner<[{ id: number }]>`insert into company (name) values ('set') returning id`;
    // As `change` leaves it; both are undone.
    const refusal = async (change: string): Promise<unknown> => {
      await owner.unsafe(change);
      const before = await contents();
      const end: unknown = await rollback(made.database, from(3), false).catch((error: unknown) => error);
      expect(await contents()).toEqual(before);
      await rollback(made.database, from(3), true);
      await migrate(made.database);
      return end;
    };
    const taken = `select from autonomy_intend(jsonb_build_array(jsonb_build_object('n', 0, 'company', ${id}, 'type', 'assign',
      'key', 'k', 'attempt', gen_random_uuid(), 'description', 'x', 'data', '{}'::jsonb, 'trigger', 't', 'dryRun', true, 'actSeconds', 1)))`;
    const changes: readonly [string, RegExp][] = [
      ['update autonomy_all set stopped = true', /kill switch of all/],
      ['update autonomy set stopped = true', /kill switches/],
      [`update autonomy set mode = 'SEMI_AUTO'`, /mode and rules/],
      ['update autonomy set auto_notify_customer = true', /mode and rules/],
      ['update autonomy set adjust_time_max_minutes = 10', /mode and rules/],
      ['update autonomy set dry_run = true', /mode and rules/],
      ['update autonomy set breaker_failures = 0', /mode and rules/],
      [`insert into breaker (company_id, action_type, failures) values (${id}, 'assign', 2)`, /failures/],
      [`select autonomy_limit(${id}, 'all', 'hour', null, 40, 'test')`, /limits/],
      [`select autonomy_limit(${id}, 'all', 'hour', 'window', 50, 'test')`, /limits/],
      [`select autonomy_limit(${id}, 'driver', 'day', null, 3, 'test')`, /limits/],
      [
        `update autonomy set mode = 'FULLY_AUTO', auto_assign = true; ${taken}; update autonomy set mode = 'MANUAL', auto_assign = false`,
        /taken/,
      ],
    ];
    for (const [change, what] of changes) {
      expect(await refusal(change), change).toMatchObject({
        code: 'ERR_MIGRATION',
        message: expect.stringMatching(what) as string,
      });
    }
    // Nothing of that: a company as it is made.
    expect(await rollback(made.database, from(3), false)).toHaveLength(from(3));
    await migrate(made.database);
  });

  it('bind the setting of own approvals in companies that are there already, and take it back only by force', async () => {
    expect(await rollback(made.database, from(8), true)).toHaveLength(from(8));
    const [{ id }] = await owner<[{ id: number }]>`insert into company (name) values ('approving') returning id`;
    await owner.unsafe(`select autonomy_configure(${id}, '{"mode": "SEMI_AUTO"}', 'test')`);
    await migrate(made.database);
    expect(await verify(made.database)).toMatchObject({ ok: true });
    await owner`update autonomy set own_approval = true where company_id = ${id}`;
    expect(await verify(made.database)).toMatchObject({
      ok: false,
      companyId: id,
      reason: 'setting own_approval was edited',
      expected: 'false',
      actual: 'true',
    });
    await owner`update autonomy set own_approval = false where company_id = ${id}`;
    await configure(owner, id, { ownApproval: true }, 'ann');
    expect(await allowsOwnApproval(owner, id)).toBe(true);
    expect((await readControls(owner, id)).settings.ownApproval).toBe(true);
    const [{ detail }] = await owner<[{ detail: unknown }]>`
      select detail from audit_ledger where company_id = ${id} order by seq desc limit 1`;
    expect(detail).toMatchObject({ by: 'ann', before: { own_approval: false }, after: { own_approval: true } });
    expect(await verify(made.database)).toMatchObject({ ok: true });
    await expect(rollback(made.database, from(8), false)).rejects.toMatchObject({
      code: 'ERR_MIGRATION',
      message: expect.stringMatching(/who may approve their own actions/) as string,
    });
    await rollback(made.database, from(8), true);
    await migrate(made.database);
    expect(await allowsOwnApproval(owner, id)).toBe(false);
    expect(await allowsOwnApproval(owner, 999_999)).toBe(false);
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('run once when two migrate at once: one works, the other waits and finds nothing to do', async () => {
    const force = await rollback(made.database, shipped + 5, true);
    expect(force).toHaveLength(shipped);
    await owner`drop table schema_migration`;
    const both = await Promise.all([migrate(made.database), migrate(made.database), migrate(made.database)]);
    expect(both.map((applied) => applied.length).sort()).toEqual([0, 0, shipped]);
    expect((await migrationStates(owner)).every(({ appliedAt }) => appliedAt !== null)).toBe(true);
  });

  it('are refused if an applied one was changed, or if the database is newer', async () => {
    await owner`update schema_migration set checksum = 'other' where version = 2`;
    await expect(migrate(made.database)).rejects.toMatchObject({
      code: 'ERR_MIGRATION',
      message: expect.stringMatching(/0002-record was changed/) as string,
    });
    await owner`update schema_migration set checksum = ${shippedMigrations()[1].checksum} where version = 2`;
    await owner`insert into schema_migration (version, name, checksum) values (${shipped + 1}, 'later', 'x')`;
    await expect(migrate(made.database)).rejects.toThrow(/later.*newer/);
    await owner`delete from schema_migration where version = ${shipped + 1}`;
    expect(await migrate(made.database)).toEqual([]);
  });

  it('leave nothing behind when one fails', async () => {
    await rollback(made.database, shipped, true);
    await owner`create table token_bucket (in_the_way integer)`;
    await expect(migrate(made.database)).rejects.toThrow(/0003-limits failed.*token_bucket/);
    const states = await migrationStates(owner);
    expect(states.every(({ appliedAt }) => appliedAt === null)).toBe(true);
    expect(await owner`select to_regclass('company') as found`).toEqual([{ found: null }]);
    await owner`drop table token_bucket`;
    await migrate(made.database);
  });

  it('are asked for when they are missing', async () => {
    await rollback(made.database, shipped, true);
    const app = connect(made.database, { role: 'app', max: 1 });
    await expect(listActions(app, {})).rejects.toMatchObject({
      code: 'ERR_NOT_MIGRATED',
      message: expect.stringMatching(/fleetstep audit migrate/) as string,
    });
    await app.end();
    await migrate(made.database);
  });
});

describe('the schema', () => {
  it('is closed to the public and to the application when it is migrated, and what is opened later is told', async () => {
    await rollback(made.database, shipped, true);
    await owner`grant create on schema public to public, fleetstep_app`;
    const app = connect(made.database, { role: 'app', max: 1 });
    expect(await schemaCreators(app)).toEqual(['PUBLIC', 'fleetstep_app']);
    await migrate(made.database);
    expect(await schemaCreators(app)).toEqual([]);
    await owner`grant create on schema public to public`;
    expect(await schemaCreators(app)).toEqual(['PUBLIC']);
    await owner`revoke create on schema public from public`;
    await app.end();
  });
});

describe('the table of acts', () => {
  beforeAll(async () => {
    // Statements that were prepared before types were made anew would be refused.
    await owner.end();
    owner = superuser(made);
  });

  it("has the original's 18 columns with their types, 3 foreign keys and 8 indexes", async () => {
    const columns = await owner<{ name: string; type: string }[]>`
      select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
      where attrelid = 'autonomous_action'::regclass and attnum > 0 order by attnum limit 18`;
    expect(Object.fromEntries(columns.map(({ name, type }) => [name, type]))).toEqual({
      id: 'bigint',
      company_id: 'bigint',
      booking_id: 'bigint',
      driver_id: 'bigint',
      action_type: 'action_type',
      action_description: 'text',
      action_data: 'jsonb',
      success: 'boolean',
      error_message: 'text',
      execution_time_ms: 'double precision',
      confidence_score: 'double precision',
      expected_improvement_minutes: 'double precision',
      trigger_source: 'text',
      reviewed_by_admin: 'boolean',
      reviewed_at: 'timestamp(3) with time zone',
      admin_notes: 'text',
      created_at: 'timestamp(3) with time zone',
      updated_at: 'timestamp(3) with time zone',
    });
    const keys = await owner<{ table: string }[]>`
      select confrelid::regclass::text as table from pg_constraint
      where conrelid = 'autonomous_action'::regclass and contype = 'f' order by 1`;
    expect(keys.map(({ table }) => table)).toEqual(['booking', 'company', 'driver']);
    const indexes = await owner<{ columns: string }[]>`
      select substring(indexdef from '\\(([^)]*)\\)') as columns from pg_indexes
      where tablename = 'autonomous_action' and indexdef not like '%WHERE%'`;
    const plain = indexes.map(({ columns }) => columns);
    for (const expected of [
      'id',
      'company_id',
      'booking_id',
      'driver_id',
      'action_type',
      'created_at',
      'company_id, created_at, success',
      'action_type, created_at',
    ]) {
      expect(plain).toContain(expected);
    }
  });

  it('refuses values that make no sense, whoever writes them', async () => {
    const company = await addCompany(owner);
    const insert = (changes: Record<string, unknown>): Promise<unknown> => {
      const row = {
        company_id: company.id,
        action_type: 'assign',
        action_description: 'x',
        trigger_source: 'test',
        created_at: new Date(),
        updated_at: new Date(),
        status: 'intended',
        idempotency_key: crypto.randomUUID(),
        attempt: crypto.randomUUID(),
        act_by: new Date(),
        seq: 1,
        ...changes,
      };
      return owner.begin(async (tx) => {
        await tx`insert into autonomous_action ${tx(row)}`;
        throw new Error('accepted');
      });
    };
    await expect(insert({})).rejects.toThrow('accepted');
    for (const bad of [
      { action_type: 'fly' },
      { status: 'done' },
      { action_description: '' },
      { action_description: 'x'.repeat(501) },
      { action_data: [1] },
      { execution_time_ms: -1 },
      { execution_time_ms: Infinity },
      { confidence_score: 1.01 },
      { expected_improvement_minutes: NaN },
      { trigger_source: '' },
      { admin_notes: 'x'.repeat(1001) },
      { success: true },
      { status: 'succeeded' },
      { status: 'refused' },
      { reviewed_by_admin: true },
      { company_id: 999_999 },
      { booking_id: 999_999 },
      { driver_id: 999_999 },
      { created_at: null },
    ]) {
      await expect(insert(bad), JSON.stringify(bad)).rejects.not.toThrow('accepted');
    }
  });
});

describe("the application's role", () => {
  it('is refused every write that is not a function of the record', async () => {
    const company = await addCompany(owner);
    await act(company.id, 1);
    const app = connect(made.database, { role: 'app', max: 1 });
    const tables = await owner<{ name: string }[]>`
      select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`;
    expect(tables.length).toBeGreaterThan(10);
    const statements = tables.flatMap(({ name }) => [
      `insert into ${name} default values`,
      `delete from ${name}`,
      `truncate ${name} cascade`,
      `alter table ${name} disable trigger all`,
      `drop table ${name} cascade`,
      `alter table ${name} add column extra integer`,
      `create index on ${name} ((1))`,
    ]);
    statements.push(
      `update autonomous_action set success = false`,
      `update autonomous_action set admin_notes = 'x'`,
      `update audit_ledger set hash = digest`,
      `update audit_head set seq = 0`,
      `update token_bucket set tokens = 1000`,
      `update autonomy set mode = 'FULLY_AUTO'`,
      `update autonomy_all set stopped = false`,
      `update booking set driver_id = null`,
      `update company set name = 'x'`,
      `set session_replication_role = replica`,
      `create or replace function audit_guard_append_only() returns trigger language plpgsql as $$ begin return old; end $$`,
      `drop function audit_guard_append_only cascade`,
      `select audit_note(0, 'switch', '{}')`,
      `select audit_append(h, 'review', null, null, now(), null, sha256('x')) from audit_head h`,
      `alter role fleetstep_app superuser`,
      `create table mine (i integer)`,
    );
    const accepted: string[] = [];
    for (const statement of statements) {
      await app.unsafe(statement).then(
        () => accepted.push(statement),
        (error: unknown) => {
          const { code } = error as { code: string };
          if (!['42501', '42P13', '0A000'].includes(code)) accepted.push(`${statement}: ${code}`);
        },
      );
    }
    expect(accepted).toEqual([]);
    await app.end();
    expect(await verify(made.database)).toMatchObject({ ok: true });
  });

  it('finds the guards closed to the owner, too', async () => {
    const company = await addCompany(owner);
    await act(company.id, 1);
    for (const statement of [
      `update autonomous_action set success = false, status = 'failed'`,
      `update autonomous_action set action_description = 'other'`,
      `update autonomous_action set created_at = now()`,
      `update autonomous_action set status = 'intended', success = null`,
      `update autonomous_action set admin_notes = 'x'`,
      `delete from autonomous_action`,
      `truncate autonomous_action cascade`,
      `update audit_ledger set at = now()`,
      `delete from audit_ledger`,
      `truncate audit_ledger`,
      `delete from audit_head`,
    ]) {
      const end: unknown = await owner.unsafe(statement).then(
        () => 'accepted',
        (error: unknown) => error,
      );
      expect(end, statement).toMatchObject({ code: 'FS403' });
    }
  });
});
