// Commands that need the database: open it, set the embedded one up, and leave it in order whatever happens.

import { userInfo } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';
import { connect, databaseOptionsFrom, migrate, openDatabase, settled } from '../audit/index.js';
import type { Connection, Database } from '../audit/index.js';
import { whole } from './options.js';

/** Runs `work` with the database of the environment (DATABASE_URL, else the embedded one in FLEETSTEP_DATA or ./data). */
export async function withDatabase<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(databaseOptionsFrom(process.env));
  const interrupted = (signal: NodeJS.Signals): void => {
    void database.close().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await work(database);
  } finally {
    process.removeListener('SIGINT', interrupted).removeListener('SIGTERM', interrupted);
    await database.close();
  }
}

/** The same with a connection of the application's role; the embedded database gets its tables by itself. */
export async function withConnection<T>(work: (connection: Connection, database: Database) => Promise<T>): Promise<T> {
  return withDatabase(async (database) => {
    if (database.kind === 'embedded') await migrate(database);
    const connection = connect(database, { role: 'app', max: 1 });
    try {
      return await settled(connection, (sql) => work(sql, database));
    } finally {
      await connection.end({ timeout: 5 });
    }
  });
}

/** `--company <id>`: limits a command to one company. */
export const companyOption = (): Option => new Option('--company <id>', 'only this company').argParser(whole(1));
/** `--by <name>`: who acts, for the record; default: the account that runs the command. */
export const byOption = (): Option =>
  new Option('--by <name>', 'who does it, for the record').default(accountName(), 'your account');

/** The operating system's name of whoever runs the command. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}

/** yes/no options that may also be absent. */
export function truth(text: string): boolean {
  if (/^(true|yes|on)$/i.test(text)) return true;
  if (/^(false|no|off)$/i.test(text)) return false;
  throw new InvalidArgumentError('It must be true or false.');
}
