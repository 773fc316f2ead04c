// Where the database is, and connections to it. Two roles: the owner's migrates, the application's reads and calls the
// functions of the record, and can do nothing else. Whatever a role or a database has set for its sessions, here it holds not.

import postgres from 'postgres';
import type { Options } from 'postgres';
import { numberTypes } from './connection.js';
import type { Connection, Transaction, Work } from './connection.js';
import { openEmbedded } from './embedded.js';
import type { EmbeddedServer } from './embedded.js';
import { AuditError } from './errors.js';
import { safely } from './transaction.js';

export type { Connection } from './connection.js';

export const APP_ROLE = 'fleetstep_app';
export const OWNER_ROLE = 'fleetstep_owner';

export interface Database {
  /** `embedded`, or `server` for one named by a URL. */
  readonly kind: 'embedded' | 'server';
  /** Folder of the embedded server. */
  readonly folder: string | undefined;
  /** Connection strings of the two roles; they hold passwords. With `?pgbouncer=true`, PgBouncer is in between. */
  readonly ownerUrl: string;
  readonly appUrl: string;
  /** Leaves the database; an embedded server that nobody else uses stops. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Server's URL; default: an embedded server. */
  readonly url?: string | undefined;
  /** URL of a role that may migrate; default: `url`. */
  readonly ownerUrl?: string | undefined;
  /** Folder of the embedded server; default `data`. */
  readonly dataFolder?: string | undefined;
}

/** DATABASE_URL, DATABASE_OWNER_URL and FLEETSTEP_DATA. */
export function databaseOptionsFrom(env: Readonly<Record<string, string | undefined>>): DatabaseOptions {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  return {
    url: given('DATABASE_URL'),
    ownerUrl: given('DATABASE_OWNER_URL'),
    dataFolder: given('FLEETSTEP_DATA'),
  };
}

/** @throws AuditError `ERR_FIELD` for a URL of another kind, `ERR_DATABASE`, `ERR_DATA_FOLDER` */
export async function openDatabase(options: DatabaseOptions = {}): Promise<Database> {
  const { url, ownerUrl = url, dataFolder = 'data' } = options;
  if (url === undefined || ownerUrl === undefined) {
    return databaseOf(await openEmbedded(dataFolder));
  }
  checkUrl('DATABASE_URL', url);
  checkUrl('DATABASE_OWNER_URL', ownerUrl);
  return { kind: 'server', folder: undefined, ownerUrl, appUrl: url, close: () => Promise.resolve() };
}

export function databaseOf(server: EmbeddedServer): Database {
  const { folder, ownerUrl, appUrl } = server;
  return { kind: 'embedded', folder, ownerUrl, appUrl, close: () => server.close() };
}

function checkUrl(name: string, url: string): void {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    // The value may hold a password: it is not repeated.
    throw new AuditError(
      'ERR_FIELD',
      `${name} is no PostgreSQL URL: expected postgres://user:password@host:port/database`,
    );
  }
  const pgbouncer = new URL(url).searchParams.getAll('pgbouncer');
  if (pgbouncer.some((value) => value !== 'true' && value !== 'false')) {
    throw new AuditError('ERR_FIELD', `${name} has pgbouncer=${pgbouncer.join()}: expected true or false`);
  }
}

export interface ConnectionOptions {
  readonly role: 'owner' | 'app';
  /** Connections at most. */
  readonly max: number;
  /** The server gives up on a statement, or on waiting for a lock, after this many milliseconds; 0: never. */
  readonly statementTimeoutMs?: number;
  /** Seconds until a connection attempt fails, default 10. */
  readonly connectTimeoutSeconds?: number;
}

/**
 * What results depend on, and what would end our statements early or make them last less: said for each session, as a role
 * or a database may have other defaults (`alter role ... set`).
 */
function sessionOf({ role, statementTimeoutMs = 0 }: ConnectionOptions): Readonly<Record<string, string>> {
  return {
    TimeZone: 'UTC',
    DateStyle: 'ISO, MDY',
    standard_conforming_strings: 'on',
    search_path: 'public, pg_temp',
    bytea_output: 'hex',
    IntervalStyle: 'postgres',
    extra_float_digits: '1',
    transform_null_equals: 'off',
    array_nulls: 'on',
    row_security: 'on',
    jit: 'off',
    // What was acknowledged has been written.
    synchronous_commit: 'on',
    default_transaction_isolation: 'read committed',
    default_transaction_read_only: 'off',
    default_transaction_deferrable: 'off',
    statement_timeout: String(statementTimeoutMs),
    lock_timeout: String(statementTimeoutMs),
    idle_in_transaction_session_timeout: '0',
    idle_session_timeout: '0',
    // Even where the URL's user may do more, the application does not.
    ...(role === 'app' ? { role: APP_ROLE } : {}),
  };
}

/** Those that PgBouncer takes at the start and keeps for each of its clients, whichever server's session they are given. */
const KEPT_BY_PGBOUNCER = ['TimeZone', 'DateStyle', 'standard_conforming_strings'];

/** Connections through PgBouncer: sessions there are nobody's own, so that settings are made in each transaction. */
const pooled = new WeakSet<object>();

/** Connections open as they are needed. End them with `connection.end()`. */
export function connect(database: Database, options: ConnectionOptions): Connection {
  const { role, max, connectTimeoutSeconds = 10 } = options;
  const { url, pgbouncer } = wayOf(role === 'owner' ? database.ownerUrl : database.appUrl);
  const session = sessionOf(options);
  const first = pgbouncer
    ? Object.fromEntries(Object.entries(session).filter(([name]) => KEPT_BY_PGBOUNCER.includes(name)))
    : session;
  const settings: Options<typeof numberTypes> = {
    max,
    connect_timeout: connectTimeoutSeconds,
    // A database that comes back is found at once; the default waits up to twenty seconds.
    backoff: () => 0.2,
    onnotice: () => undefined,
    // The driver would ask for the server's array types first, and where the connection breaks just then, its own
    // promise rejects unhandled, which ends the process. Arrays travel as JSON or text here.
    fetch_types: false,
    types: numberTypes,
    // A prepared statement stays with a server's session, which the next transaction may not get.
    ...(pgbouncer ? { prepare: false } : {}),
    connection: { application_name: 'fleetstep', ...first },
  };
  return withTransactions(postgres(url, settings), pgbouncer ? session : undefined);
}

/**
 * Does `work` under the settings that results depend on: those of the connection, or through PgBouncer in a transaction that
 * makes them.
 */
export function settled<T>(connection: Connection, work: (sql: Connection) => Promise<T>): Promise<T> {
  if (!pooled.has(connection)) return work(connection);
  return connection.begin((tx) => work(tx as unknown as Connection)) as Promise<T>;
}

/**
 * The same connection, with transactions that survive its breaking.
 * @param session settings that each of them begins with; undefined where the connection has them
 */
function withTransactions(connection: Connection, session: Readonly<Record<string, string>> | undefined): Connection {
  const rows = Object.entries(session ?? {}).map(([name, value]) => ({ name, value }));
  const settle = async (sql: Transaction): Promise<void> => {
    if (rows.length === 0) return;
    await sql`
      select pg_catalog.set_config(name, value, true)
      from pg_catalog.jsonb_to_recordset(${sql.json(rows)}) as s (name pg_catalog.text, value pg_catalog.text)`;
  };
  const transact = safely(connection, settle);
  const begin = (given: string | Work<unknown>, work?: Work<unknown>): Promise<unknown> => {
    const [modes, inner] = typeof given === 'string' ? [given, work!] : ['', given];
    const isolation = modes.includes('isolation') ? '' : 'isolation level read committed ';
    const access = /read (only|write)/.test(modes) ? '' : 'read write ';
    return transact(`${isolation}${access}${modes}`, inner);
  };
  if (session !== undefined) pooled.add(connection);
  return Object.assign(connection, { begin });
}

interface Way {
  readonly url: string;
  readonly pgbouncer: boolean;
}

/** What a URL says to us, and what is left of it for the driver, which would put its parameters above ours. */
function wayOf(given: string): Way {
  const url = new URL(given);
  const ours = new Set(
    [...Object.keys(sessionOf({ role: 'app', max: 1 })), 'client_encoding', 'pgbouncer'].map((name) =>
      name.toLowerCase(),
    ),
  );
  const pgbouncer = url.searchParams.get('pgbouncer');
  for (const name of [...url.searchParams.keys()]) {
    if (ours.has(name.toLowerCase())) url.searchParams.delete(name);
  }
  return { url: url.href, pgbouncer: pgbouncer === 'true' };
}

const REMEDY =
  'add "?pgbouncer=true" to its URL, or name the server itself (migrations and a session of their own need it)';

/**
 * Looks whether the way to the database is one that this works with: a pooler that hands sessions on from transaction to
 * transaction loses settings and mixes prepared statements up, unless it is known to be there.
 * @throws AuditError `ERR_FIELD` with reason and remedy; else as any statement
 */
export async function checkWay(database: Database): Promise<void> {
  const connection = connect(database, { role: 'app', max: 1, statementTimeoutMs: 5000, connectTimeoutSeconds: 5 });
  const looked = (async () => {
    const asked = settled(
      connection,
      (sql) => sql<{ pid: number; path: string; role: string }[]>`
        select pg_catalog.pg_backend_pid() as pid, pg_catalog.current_setting('search_path') as path,
          pg_catalog.current_setting('role') as role`,
    );
    const rows = await asked.catch(async (cause: unknown) => {
      if (!pooled.has(connection) || databaseError(cause).code !== 'ERR_DATABASE') throw cause;
      // It ends whoever begins a transaction, and says so only to those who listen in that moment.
      const fresh = connect(database, { role: 'app', max: 1, connectTimeoutSeconds: 5 });
      await fresh`select 1`.catch(() => Promise.reject(cause as Error)).finally(() => fresh.end({ timeout: 0 }));
      throw new AuditError(
        'ERR_FIELD',
        'DATABASE_URL leads through a PgBouncer that allows no transactions (pool_mode = statement): set pool_mode = transaction',
        { cause },
      );
    });
    const [{ pid, path, role }] = rows;
    if (pooled.has(connection)) return;
    // The server tells its process at the start; a pooler tells something of its own.
    const pooler = rows.state.pid !== pid;
    if (!pooler && path === sessionOf({ role: 'app', max: 1 })['search_path'] && role === APP_ROLE) return;
    throw new AuditError(
      'ERR_FIELD',
      `DATABASE_URL leads through a pooler such as PgBouncer, which does not keep a session's settings and prepared statements: ${REMEDY}`,
    );
  })();
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new AuditError('ERR_DATABASE', 'the database does not answer')), 10_000);
    });
    await Promise.race([looked, late]);
  } catch (error) {
    throw databaseError(error);
  } finally {
    clearTimeout(timer);
    looked.catch(() => undefined);
    await connection.end({ timeout: 0 });
  }
}

/** What a foreign key was about. */
function namedBy(constraint = ''): string {
  if (constraint.includes('booking')) return 'booking in this company';
  if (constraint.includes('driver')) return 'driver in this company';
  return constraint.includes('company') ? 'company' : 'row';
}

/** SQLSTATE of the record's own functions. */
const ownCodes: Readonly<Record<string, 'ERR_FIELD' | 'ERR_NOT_FOUND'>> = {
  FS400: 'ERR_FIELD',
  FS404: 'ERR_NOT_FOUND',
};

/** From what the driver threw to a typed error. */
export function databaseError(error: unknown): AuditError {
  if (error instanceof AuditError) return error;
  const {
    code = '',
    message,
    constraint_name: constraint,
  } = error as Error & { code?: string; constraint_name?: string };
  if (Object.hasOwn(ownCodes, code)) return new AuditError(ownCodes[code], message, { cause: error });
  if (code === '08P01' && /startup parameter/.test(message)) {
    return new AuditError('ERR_FIELD', `DATABASE_URL leads through PgBouncer (${message}): ${REMEDY}`, {
      cause: error,
    });
  }
  if (code === '22023' && /time zone/i.test(message)) {
    return new AuditError(
      'ERR_FIELD',
      `company.time_zone is not known to the database (${message}): set it to a name such as Europe/Zurich`,
      { cause: error },
    );
  }
  switch (code) {
    // A table or function is missing, or the application's role that migrations create, or the right to use them.
    case '42P01':
    case '42883':
    case '42501':
    case '22023':
      return new AuditError(
        'ERR_NOT_MIGRATED',
        `the database is not set up (${message}): run "fleetstep audit migrate"`,
        {
          cause: error,
        },
      );
    case '57014':
    case '55P03':
      return new AuditError('ERR_DEADLINE', `the database did not answer in time (${message})`, { cause: error });
    case '23505':
      return new AuditError('ERR_IDEMPOTENCY', 'it is on record already: ask again to get what it was', {
        cause: error,
      });
    case '23503':
      // The server's own words name tables and constraints, which are nobody's business.
      return new AuditError('ERR_NOT_FOUND', `no such ${namedBy(constraint)}`, { cause: error });
    case '23514':
    case '22007':
    case '22008':
    case '22P02':
    case '22003':
    case '22P05':
      return new AuditError('ERR_FIELD', `${constraint ?? 'a value'} is not allowed: ${message}`, { cause: error });
    default:
      return new AuditError('ERR_DATABASE', `the database failed: ${message || code}`, { cause: error });
  }
}
