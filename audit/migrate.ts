// Plain-SQL migrations, up and down: `migrations/NNNN-name.{up,down}.sql`, applied in order with a row each in the ledger
// `schema_migration`, all in one transaction: all or nothing. One migrator at a time; another waits.

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TransactionSql } from 'postgres';
import type { Connection } from './connection.js';
import { APP_ROLE, OWNER_ROLE, connect, databaseError } from './database.js';
import type { Database } from './database.js';
import { debug } from './debug.js';
import { AuditError } from './errors.js';

/** One migration as it ships. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly up: string;
  readonly down: string;
  /** SHA-256 of both texts. */
  readonly checksum: string;
}

/** One migration, and whether the database has it. */
export interface MigrationState {
  readonly version: number;
  readonly name: string;
  /** ISO 8601, or null if it is still to be applied. */
  readonly appliedAt: string | null;
}

const FOLDER = fileURLToPath(new URL('../../audit/migrations/', import.meta.url));
interface Loss {
  /** What would be lost. */
  readonly what: string;
  /** Finds a row if there is any of it. */
  readonly query: string;
}
const rowsOf = (table: string): Loss => ({ what: `the rows of "${table}"`, query: `select from public.${table}` });

/** What a rollback would lose, by the migration that made place for it. */
const LOSSES: Readonly<Record<number, readonly Loss[]>> = {
  1: ['company', 'driver', 'booking'].map(rowsOf),
  2: ['autonomous_action', 'audit_ledger'].map(rowsOf),
  3: [
    { what: 'the kill switch of all companies, which is on', query: 'select from public.autonomy_all where stopped' },
    { what: "companies' kill switches, which are on", query: 'select from public.autonomy where stopped' },
    {
      what: "companies' mode and rules",
      query: `
        select from public.autonomy
        where mode <> 'MANUAL' or auto_assign or auto_reassign or auto_notify_customer or auto_adjust_time or auto_reoptimize
          or dry_run or adjust_time_max_minutes <> 30 or breaker_failures <> 5`,
    },
    {
      what: 'action types that failures have stopped, or counts of failures',
      query: 'select from public.breaker where failures > 0 or stopped_at is not null',
    },
    {
      what: "companies' limits",
      query: `
        select from public.token_bucket b left join (values
          ('all', 50, 500), ('assign', 30, 200), ('reassign', 10, 50), ('notify_customer', 30, 200), ('adjust_time', 20, 100),
          ('redistribute', 5, 20), ('reoptimize', 10, 100)) as first (scope, hour, day) on first.scope = b.scope
        where b.kind <> 'bucket' or b.capacity is distinct from case b.per when 'hour' then first.hour else first.day end`,
    },
    { what: 'what has been taken of limits', query: 'select from public.token_bucket where taken > 0' },
  ],
  5: ['decision', 'decision_event'].map(rowsOf),
  6: [
    {
      what: 'what has been taken of limits that were lowered',
      query: 'select from public.token_bucket where withheld > 0',
    },
    {
      what: 'entries that stand for what was pruned, without which the record is not sound',
      query: `select from public.audit_ledger where kind::text = 'pruned'`,
    },
  ],
  7: [
    {
      what: 'the numbers that bind decisions to the ledger',
      query: 'select from public.decision_head where seq > 0',
    },
  ],
  8: [{ what: 'who may approve their own actions', query: 'select from public.autonomy where own_approval' }],
};

/** `create function` or `create or replace function`, its name, and all of it. */
const FUNCTION = /^create (?:or replace )?function (\w+)[\s\S]*?\$\$[\s\S]*?\$\$.*?;?$/gm;

/** Functions that a migration's text makes or replaces, by name: the whole statements. */
export function functionsOf(text: string): Map<string, string> {
  return new Map([...text.matchAll(FUNCTION)].map(([statement, name]) => [name, statement]));
}

/** What ships with this version, in order. */
export function shippedMigrations(): Migration[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.up.sql'));
  return names.sort().map((file, k) => {
    const name = file.slice(0, -'.up.sql'.length);
    const version = Number(name.slice(0, 4));
    if (version !== k + 1) throw new AuditError('ERR_MIGRATION', `migration ${name} should be number ${k + 1}`);
    const up = readFileSync(`${FOLDER}${file}`, 'utf8');
    const down = readFileSync(`${FOLDER}${name}.down.sql`, 'utf8');
    return { version, name, up, down, checksum: createHash('sha256').update(`${up}\0${down}`).digest('hex') };
  });
}

/**
 * Applies all migrations that are missing; gives those.
 * @throws AuditError `ERR_MIGRATION` if an applied one has changed, or one fails: then nothing is applied
 */
export function migrate(database: Database): Promise<Migration[]> {
  return withMigrator(database, async (sql, applied) => {
    const missing = shippedMigrations().slice(applied.length);
    if (missing.length > 0) await ensureRoles(sql);
    for (const migration of missing) {
      debug('migration %s is applied', migration.name);
      await apply(sql, migration, migration.up);
      await sql`
        insert into schema_migration (version, name, checksum)
        values (${migration.version}, ${migration.name}, ${migration.checksum})`;
    }
    if (missing.length > 0) await closeSchema(sql);
    return missing;
  });
}

/**
 * Takes the last `steps` migrations back; gives them, last first.
 * @param force also if anything is lost by it: rows of the record or of the fleet, decisions, switches, mode, rules, limits
 * @throws AuditError `ERR_MIGRATION` naming what would be lost without `force`: then nothing is taken back
 */
export function rollback(database: Database, steps: number, force: boolean): Promise<Migration[]> {
  return withMigrator(database, async (sql, applied) => {
    const undone = shippedMigrations().slice(0, applied.length).slice(-steps).reverse();
    if (!force) await refuseLosses(sql, undone);
    for (const migration of undone) {
      debug('migration %s is taken back', migration.name);
      await apply(sql, migration, `${migration.down}\n${replacedBy(migration)}`);
      await sql`delete from schema_migration where version = ${migration.version}`;
    }
    return undone;
  });
}

async function refuseLosses(sql: TransactionSql, undone: readonly Migration[]): Promise<void> {
  for (const { version, name } of undone) {
    for (const { what, query } of LOSSES[version] ?? []) {
      const [row] = await sql.unsafe(`${query} limit 1`);
      if (row !== undefined) {
        throw new AuditError(
          'ERR_MIGRATION',
          `taking back ${name} would destroy ${what}: note or export what you need, then use --force`,
        );
      }
    }
  }
}

/** Functions that a migration replaced, as the last one before it had made them. */
function replacedBy({ version, up }: Migration): string {
  const earlier = shippedMigrations().slice(0, version - 1);
  const before = new Map(earlier.flatMap((migration) => [...functionsOf(migration.up)]));
  return [...functionsOf(up).keys()]
    .flatMap((name) => before.get(name) ?? [])
    .map((statement) => `${statement.replace(/^create function/, 'create or replace function').replace(/;$/, '')};`)
    .join('\n');
}

/** All shipped migrations and when each was applied. Creates nothing. */
export async function migrationStates(connection: Connection): Promise<MigrationState[]> {
  try {
    const [{ found }] = await connection<
      { found: boolean }[]
    >`select to_regclass('public.schema_migration') is not null as found`;
    const rows = found
      ? await connection<{ version: number; appliedAt: Date }[]>`
          select version, applied_at as "appliedAt" from public.schema_migration`
      : [];
    const at = new Map(rows.map(({ version, appliedAt }) => [version, appliedAt.toISOString()]));
    return shippedMigrations().map(({ version, name }) => ({ version, name, appliedAt: at.get(version) ?? null }));
  } catch (error) {
    throw databaseError(error);
  }
}

type Applied = readonly { readonly version: number; readonly name: string; readonly checksum: string }[];

async function withMigrator<T>(
  database: Database,
  work: (sql: TransactionSql, applied: Applied) => Promise<T>,
): Promise<T> {
  const pool = connect(database, { role: 'owner', max: 1 });
  try {
    return (await pool.begin(async (sql) => {
      // Whatever the login or the database is set to.
      await sql`set local search_path = public`;
      await takeTurn(sql);
      const applied: Applied = await sql<{ version: number; name: string; checksum: string }[]>`
        select version, name, checksum from schema_migration order by version`;
      checkApplied(applied);
      return work(sql, applied);
    })) as T;
  } catch (error) {
    throw databaseError(error);
  } finally {
    await pool.end({ timeout: 5 });
  }
}

/**
 * One migrator after the other. By the lock of their ledger, which only who may write it can take: advisory locks are
 * everybody's.
 */
async function takeTurn(sql: TransactionSql): Promise<void> {
  try {
    await sql.savepoint(
      (inner) => inner`
        create table if not exists schema_migration (
          version integer primary key,
          name text not null,
          checksum text not null,
          applied_at timestamptz(3) not null default clock_timestamp(),
          applied_by text not null default session_user
        )`,
    );
  } catch (error) {
    // Another migrator made it in this very moment.
    if (!['23505', '42P07'].includes((error as { code?: string }).code ?? '')) throw error;
  }
  const [{ may }] = await sql<{ may: boolean }[]>`
    select has_table_privilege('schema_migration', 'update') as may`;
  if (!may) return;
  await sql`lock table schema_migration in share row exclusive mode`;
  await sql`grant select on schema_migration to public`;
}

/** Who may create in the schema could plant what others' statements then find there. Where the migrator may not, `audit status` tells. */
async function closeSchema(sql: TransactionSql): Promise<void> {
  const open = await sql<{ grantee: string }[]>`
    select distinct case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as grantee
    from pg_namespace, lateral aclexplode(nspacl)
    where nspname = 'public' and privilege_type = 'CREATE' and (grantee = 0 or grantee = (select oid from pg_roles where rolname = ${APP_ROLE}))
      and pg_has_role(nspowner, 'usage')`;
  for (const { grantee } of open) await sql.unsafe(`revoke create on schema public from ${grantee}`);
}

/** Who may create in the schema of the tables and should not: PUBLIC, the application's role, or roles that it is in. */
export async function schemaCreators(connection: Connection): Promise<string[]> {
  try {
    const rows = await connection<{ grantee: string }[]>`
      select distinct case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee)::text end as grantee
      from pg_namespace, lateral aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
      where nspname = 'public' and privilege_type = 'CREATE' and (grantee = 0 or exists (
        select from pg_roles app
        where app.rolname = ${APP_ROLE} and not app.rolsuper and pg_has_role(app.oid, grantee, 'usage')))
      order by 1`;
    return rows.map(({ grantee }) => grantee);
  } catch (error) {
    throw databaseError(error);
  }
}

function checkApplied(applied: Applied): void {
  const shipped = shippedMigrations();
  applied.forEach(({ version, name, checksum }, k) => {
    const own = shipped.at(k);
    if (own?.version !== version) {
      throw new AuditError(
        'ERR_MIGRATION',
        `the database has migration ${version} (${name}), which this version does not know: use a newer one`,
      );
    }
    if (own.checksum !== checksum) {
      throw new AuditError(
        'ERR_MIGRATION',
        `migration ${own.name} was changed after it was applied (checksum ${own.checksum.slice(0, 12)}, applied ${checksum.slice(0, 12)}): take the change back and write a new migration`,
      );
    }
  });
}

async function apply(sql: TransactionSql, migration: Migration, text: string): Promise<void> {
  try {
    const [{ member }] = await sql<{ member: boolean }[]>`
      select coalesce((select pg_has_role(oid, 'member') from pg_roles where rolname = ${OWNER_ROLE}), false) as member`;
    // Tables and functions belong to the owner's role, also if a superuser migrates.
    if (member) await sql.unsafe(`set local role ${OWNER_ROLE}`);
    await sql.unsafe(text);
    await sql`reset role`;
  } catch (error) {
    throw new AuditError('ERR_MIGRATION', `migration ${migration.name} failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Roles belong to the server, not to the database: another database may have made them, even at this moment. */
async function ensureRoles(sql: TransactionSql): Promise<void> {
  for (const role of [OWNER_ROLE, APP_ROLE]) {
    const [found] = await sql`select 1 from pg_roles where rolname = ${role}`;
    if (found !== undefined) continue;
    try {
      await sql.savepoint((inner) => inner.unsafe(`create role ${role}`));
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === '42710' || code === '23505') continue;
      throw new AuditError(
        'ERR_MIGRATION',
        `role ${role} is missing and cannot be made (${(error as Error).message}): let a superuser run "create role ${role}"`,
        { cause: error },
      );
    }
  }
  const [{ database, may }] = await sql<{ database: string; may: boolean }[]>`
    select current_database() as database,
      has_schema_privilege(${OWNER_ROLE}, 'public', 'create') and has_schema_privilege(${OWNER_ROLE}, 'public', 'usage') as may`;
  if (may) return;
  try {
    await sql.unsafe(`grant usage, create on schema public to ${OWNER_ROLE}`);
  } catch (error) {
    throw new AuditError(
      'ERR_MIGRATION',
      `role ${OWNER_ROLE} may not create tables in database ${database}: let its owner run "grant usage, create on schema public to ${OWNER_ROLE}"`,
      { cause: error },
    );
  }
}
