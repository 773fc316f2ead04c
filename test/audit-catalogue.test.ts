// Guards that were neutralised, one way after the other, as a superuser can: each must show, and nothing harmless may.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CATALOGUE_FILE, pinSession, readCatalogue } from '#audit/catalogue.js';
import { OWNER_ROLE, verify, verifyWithin } from '#audit/index.js';
import type { Connection, VerifyResult } from '#audit/index.js';
import { addCompany, superuser, testDatabase } from './support/database.js';
import type { TestDatabase } from './support/database.js';

let made: TestDatabase;
let owner: Connection;
beforeAll(async () => {
  made = await testDatabase();
  owner = superuser(made);
  await addCompany(owner);
});
afterAll(async () => {
  await owner.end();
  await made.remove();
});

const undo = new Error('undone');

/** What `verify` says after `statements`, which are then undone. */
async function after(statements: string): Promise<VerifyResult> {
  let result: VerifyResult | undefined;
  await owner
    .begin(async (transaction) => {
      const tx = transaction as unknown as Connection;
      await tx.unsafe(statements);
      result = await verifyWithin([tx]);
      throw undo;
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error;
    });
  return result!;
}

const noop = 'create function noop() returns trigger language plpgsql as $$ begin return new; end $$;';
const outcome = 'autonomy_outcome(bigint, action_status, double precision, text, jsonb)';
const append = 'audit_append(audit_head, ledger_kind, bigint, bigint, timestamptz, jsonb, bytea)';
const onUpdate = 'trigger guard_update on autonomous_action';
const again = (definition: string): string =>
  `drop trigger guard_update on autonomous_action; create trigger guard_update ${definition}`;

/** Statements, what is found, and what is said of it. */
const attacks: readonly (readonly [string, string, RegExp])[] = [
  // Triggers.
  [
    again(
      'before update on autonomous_action for each row when (false) execute function audit_guard_action()',
    ),
    onUpdate,
    /definition/,
  ],
  [again('before insert on autonomous_action for each row execute function audit_guard_action()'), onUpdate, /definition/],
  [again('after update on autonomous_action for each row execute function audit_guard_action()'), onUpdate, /definition/],
  [again('before update of seq on autonomous_action for each row execute function audit_guard_action()'), onUpdate, /definition/],
  [`${noop} ${again('before update on autonomous_action for each row execute function noop()')}`, onUpdate, /definition/],
  ['alter table autonomous_action enable replica trigger guard_update', onUpdate, /state/],
  ['alter table autonomous_action disable trigger guard_update', onUpdate, /is disabled/],
  ['drop trigger guard_update on autonomous_action', onUpdate, /is missing/],
  [
    `${noop} create trigger zz before insert on audit_ledger for each row execute function noop()`,
    'trigger zz on audit_ledger',
    /not one that this version ships/,
  ],
  ['alter table driver disable trigger all', 'table driver', /foreign key checks disabled/],
  // Functions.
  [`alter function ${outcome} security invoker`, 'function autonomy_outcome', /security/],
  [`alter function ${outcome} reset search_path`, 'function autonomy_outcome', /settings/],
  [`alter function ${append} set search_path = public`, 'function audit_append', /settings/],
  [`alter function ${append} set session_replication_role = replica`, 'function audit_append', /settings/],
  ['alter function audit_now() immutable', 'function audit_now', /volatility/],
  ['alter function audit_now() strict', 'function audit_now', /strict/],
  [
    'create or replace function audit_guard_append_only() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$ begin return old; end $$',
    'function audit_guard_append_only',
    /not the one that this version ships/,
  ],
  [
    'create or replace function audit_now() returns timestamptz language plpgsql as $$ begin return now(); end $$',
    'function audit_now',
    /language/,
  ],
  ['drop function audit_seal_decisions()', 'function audit_seal_decisions', /is missing/],
  [
    'create function audit_chain(previous text, seq bigint, digest bytea) returns bytea language sql as $$ select digest $$',
    'function audit_chain(previous text, seq bigint, digest bytea)',
    /not one that this version ships/,
  ],
  [
    'create function public.convert_to(text, text) returns bytea language sql as $$ select null::bytea $$',
    'function public.convert_to(text, text)',
    /name of one of the server's own/,
  ],
  [
    'create function public.cat(bytea, text) returns bytea language sql as $$ select $1 $$; create operator public.|| (leftarg = bytea, rightarg = text, function = public.cat)',
    'operator public.|| (bytea, text)',
    /name of one of the server's own/,
  ],
  [
    'create function pg_catalog.sha256(text) returns bytea language sql as $$ select null::bytea $$',
    'function sha256(text)',
    /planted/,
  ],
  [
    'create or replace function pg_catalog.sha256(bytea) returns bytea language sql as $$ select $1 $$',
    'function sha256(bytea)',
    /was replaced/,
  ],
  [
    'create function public.kind(ledger_kind) returns integer language sql as $$ select 1 $$; create cast (ledger_kind as integer) with function public.kind(ledger_kind)',
    'cast public.ledger_kind as integer',
    /not one that this version ships/,
  ],
  // Rights and owners.
  ['grant update on audit_ledger to fleetstep_app', 'table audit_ledger', /rights/],
  ['grant insert on decision to public', 'table decision', /rights/],
  ['grant delete on token_bucket to pg_monitor', 'table token_bucket', /rights/],
  ['grant update (status) on autonomous_action to fleetstep_app', 'column autonomous_action.status', /rights/],
  [`grant execute on function ${append} to fleetstep_app`, 'function audit_append', /rights/],
  [`grant execute on function ${outcome} to public`, 'function autonomy_outcome', /rights/],
  ['grant create on schema public to fleetstep_app; alter table audit_ledger owner to fleetstep_app', 'table audit_ledger', /owner/],
  [`grant create on schema public to fleetstep_app; alter function ${append} owner to fleetstep_app`, 'function audit_append', /owner/],
  ['alter role fleetstep_app bypassrls', 'role fleetstep_app', /bypassrls/],
  [`grant ${OWNER_ROLE} to fleetstep_app`, 'role fleetstep_app', /is a member of/],
  [
    `alter default privileges for role ${OWNER_ROLE} in schema public grant all on tables to public`,
    `default privileges of ${OWNER_ROLE}`,
    /were altered/,
  ],
  [
    'alter role fleetstep_app set session_replication_role = replica',
    'setting of role fleetstep_app',
    /takes triggers out of force/,
  ],
  // Tables.
  ['create rule gone as on delete to audit_ledger do instead nothing', 'table audit_ledger', /rules/],
  ['alter table autonomous_action enable row level security', 'table autonomous_action', /row security/],
  ['create policy a_few on autonomous_action using (id > 5)', 'table autonomous_action', /policies/],
  ['create table more () inherits (action_review)', 'table action_review', /children/],
  ['alter table audit_head set unlogged', 'table audit_head', /persistence/],
  [
    'alter table decision_event rename to real; create view decision_event as select * from real; grant select on decision_event to fleetstep_app',
    'table decision_event',
    /kind/,
  ],
  ['alter table audit_ledger alter column at type timestamptz(6)', 'column audit_ledger.at', /type/],
  ['alter table audit_ledger alter column digest drop not null', 'column audit_ledger.digest', /not null/],
  [`alter table autonomy alter column mode set default 'FULLY_AUTO'`, 'column autonomy.mode', /default/],
  ['alter table audit_ledger add column more text', 'column audit_ledger.more', /not one that this version ships/],
  [
    'alter table autonomous_action drop constraint autonomous_action_company_id_fkey',
    'constraint autonomous_action_company_id_fkey on autonomous_action',
    /is missing/,
  ],
  [
    'alter table autonomy drop constraint autonomy_mode_check; alter table autonomy add constraint autonomy_mode_check check (true)',
    'constraint autonomy_mode_check on autonomy',
    /definition/,
  ],
  [
    `alter table token_bucket drop constraint token_bucket_kind_check; alter table token_bucket add constraint token_bucket_kind_check check (kind in ('bucket', 'window')) not valid`,
    'constraint token_bucket_kind_check on token_bucket',
    /definition/,
  ],
  ['drop index autonomous_action_key', 'index autonomous_action_key on autonomous_action', /is missing/],
  [
    `update pg_index set indisvalid = false where indexrelid = 'autonomous_action_key'::regclass`,
    'index autonomous_action_key on autonomous_action',
    /valid/,
  ],
  ['create unique index one on audit_ledger (hash)', 'index one on audit_ledger', /not one that this version ships/],
  [`alter type action_status rename value 'failed' to 'fine'`, 'type action_status', /labels/],
  [
    'create function watch() returns event_trigger language plpgsql as $$ begin end $$; create event trigger watch on ddl_command_end execute function watch()',
    'event trigger watch',
    /not one that this version ships/,
  ],
  [
    'create role twofold login; grant fleetstep_owner, fleetstep_app to twofold',
    'role twofold',
    /may log in, and has the rights of both fleetstep_owner and fleetstep_app/,
  ],
  [
    'create role through; grant fleetstep_owner to through; create role twofold login; grant through, fleetstep_app to twofold',
    'role twofold',
    /may log in, and has the rights of both fleetstep_owner and fleetstep_app/,
  ],
]; // prettier-ignore

describe('the catalogue', () => {
  it('is the stored one on the server under test; "npx vitest run test/audit-catalogue.test.ts -u" writes it anew', async () => {
    const found = await owner.begin(async (transaction) => {
      const tx = transaction as unknown as Connection;
      await pinSession(tx);
      return readCatalogue(tx, OWNER_ROLE);
    });
    const sorted = Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
    await expect(`${JSON.stringify(sorted, null, 2)}\n`).toMatchFileSnapshot(CATALOGUE_FILE);
  });

  it.each(attacks)('shows %s', async (statements, what, reason) => {
    const result = await after(statements);
    expect(result.ok).toBe(false);
    const found = result.findings.filter((finding) => finding.what === what);
    expect(found.map((finding) => finding.reason).join('; '), JSON.stringify(result.findings)).toMatch(reason);
  });

  it('names what was expected and what was found', async () => {
    const { findings } = await after(`alter function ${outcome} security invoker`);
    expect(findings).toEqual([
      { what: 'function autonomy_outcome', reason: 'differs in its security', expected: 'definer', actual: 'invoker' },
    ]);
  });

  it('does not mind what changes nothing: tables and orders of rows beside ours, readers, settings of roles and of the database', async () => {
    const harmless = `
      create role deploy login in role fleetstep_owner; create role dispatch login in role fleetstep_app;
      create role nobody_logs_in in role fleetstep_owner, fleetstep_app;
      create table elsewhere (id integer); create index faster on audit_ledger (kind, at); grant select on audit_ledger to pg_monitor;
      create function public.own_thing() returns integer language sql as $$ select 1 $$`;
    expect(await after(harmless)).toMatchObject({ ok: true, findings: [] });
    const [{ name }] = await owner<[{ name: string }]>`select current_database() as name`;
    const settings = [
      'bytea_output = escape',
      'search_path = nowhere',
      "DateStyle = 'German'",
      'extra_float_digits = -10',
      'quote_all_identifiers = on',
      "TimeZone = 'Asia/Kathmandu'",
      'jit = on',
      'jit_above_cost = 0',
    ];
    try {
      for (const setting of settings) await owner.unsafe(`alter database "${name}" set ${setting}`);
      expect(await verify(made.database)).toMatchObject({ ok: true, findings: [] });
    } finally {
      await owner.unsafe(`alter database "${name}" reset all`);
    }
  });
});
