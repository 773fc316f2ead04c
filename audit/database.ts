// Where the database is, and connections to it. Two roles: the owner's migrates, the application's reads and calls the
// functions of the record, and can do nothing else.

import postgres from 'postgres';
import type { Options, PostgresType, Sql } from 'postgres';
import { openEmbedded } from './embedded.js';
import type { EmbeddedServer } from './embedded.js';
import { AuditError } from './errors.js';

/** Rows come with ids and sums as numbers: they stay far below 2^53. */
interface NumberTypes extends Record<string, PostgresType> {
  readonly bigint: PostgresType<number>;
}
export type Connection = Sql<{ bigint: number }>;

export const APP_ROLE = 'fleetstep_app';
export const OWNER_ROLE = 'fleetstep_owner';

export interface Database {
  /** `embedded`, or `server` for one named by a URL. */
  readonly kind: 'embedded' | 'server';
  /** Folder of the embedded server. */
  readonly folder: string | undefined;
  /** Connection strings of the two roles; they hold passwords. */
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

/** Connections open as they are needed. End them with `connection.end()`. */
export function connect(database: Database, options: ConnectionOptions): Connection {
  const { role, max, statementTimeoutMs = 0, connectTimeoutSeconds = 10 } = options;
  const settings: Options<NumberTypes> = {
    max,
    connect_timeout: connectTimeoutSeconds,
    // A database that comes back is found at once; the default waits up to twenty seconds.
    backoff: () => 0.2,
    onnotice: () => undefined,
    // The driver would ask for the server's array types first, and where the connection breaks just then, its own
    // promise rejects unhandled, which ends the process. Arrays travel as JSON or text here.
    fetch_types: false,
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
    connection: {
      application_name: 'fleetstep',
      TimeZone: 'UTC',
      ...(statementTimeoutMs > 0 ? { statement_timeout: statementTimeoutMs, lock_timeout: statementTimeoutMs } : {}),
      // Even where the URL's user may do more, the application does not.
      ...(role === 'app' ? { role: APP_ROLE } : {}),
    },
  };
  return postgres(role === 'owner' ? database.ownerUrl : database.appUrl, settings);
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
