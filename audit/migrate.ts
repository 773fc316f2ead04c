// Plain-SQL migrations, up and down: `migrations/NNNN-name.{up,down}.sql`, applied in order with a row each in the ledger
// `schema_migration`, all in one transaction: all or nothing. One migrator at a time; another waits.

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TransactionSql } from 'postgres';
import { APP_ROLE, OWNER_ROLE, connect, databaseError } from './database.js';
import type { Connection, Database } from './database.js';
import { AuditError } from './errors.js';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly up: string;
  readonly down: string;
  /** SHA-256 of both texts. */
  readonly checksum: string;
}

export interface MigrationState {
  readonly version: number;
  readonly name: string;
  /** ISO 8601, or null if it is still to be applied. */
  readonly appliedAt: string | null;
}

const FOLDER = fileURLToPath(new URL('../../audit/migrations/', import.meta.url));
/** Tables whose rows a rollback would destroy, by the migration that makes them. */
const PRECIOUS: Readonly<Record<number, readonly string[]>> = {
  1: ['company', 'driver', 'booking'],
  2: ['autonomous_action', 'audit_ledger'],
  5: ['decision'],
};
const LOCK = 70_210_001;

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
      await apply(sql, migration, migration.up);
      await sql`
        insert into schema_migration (version, name, checksum)
        values (${migration.version}, ${migration.name}, ${migration.checksum})`;
    }
    return missing;
  });
}

/**
 * Takes the last `steps` migrations back; gives them, last first.
 * @param force also if rows of the record or of the fleet are lost by it
 * @throws AuditError `ERR_MIGRATION` if rows would be lost without `force`: then nothing is taken back
 */
export function rollback(database: Database, steps: number, force: boolean): Promise<Migration[]> {
  return withMigrator(database, async (sql, applied) => {
    const undone = shippedMigrations().slice(0, applied.length).slice(-steps).reverse();
    if (!force) {
      for (const { version, name } of undone) {
        for (const table of PRECIOUS[version] ?? []) {
          const [row] = await sql`select 1 from ${sql(table)} limit 1`;
          if (row !== undefined) {
            throw new AuditError(
              'ERR_MIGRATION',
              `taking back ${name} would destroy the rows of "${table}": export them, then use --force`,
            );
          }
        }
      }
    }
    for (const migration of undone) {
      await apply(sql, migration, migration.down);
      await sql`delete from schema_migration where version = ${migration.version}`;
    }
    return undone;
  });
}

/** All shipped migrations and when each was applied. Creates nothing. */
export async function migrationStates(connection: Connection): Promise<MigrationState[]> {
  try {
    const [{ found }] = await connection<
      { found: boolean }[]
    >`select to_regclass('schema_migration') is not null as found`;
    const rows = found
      ? await connection<{ version: number; appliedAt: Date }[]>`
          select version, applied_at as "appliedAt" from schema_migration`
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
      await sql`select pg_advisory_xact_lock(${LOCK})`;
      await sql`
        create table if not exists schema_migration (
          version integer primary key,
          name text not null,
          checksum text not null,
          applied_at timestamptz(3) not null default clock_timestamp(),
          applied_by text not null default session_user
        )`;
      await sql`grant select on schema_migration to public`;
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
