// The queue that sweeps and workers share: a PostgreSQL named by its URL, or the embedded one.

import { randomBytes } from 'node:crypto';
import { InvalidArgumentError, Option } from 'commander';
import postgres from 'postgres';
import { openEmbedded } from '../audit/embedded.js';
import { Deliveries, JobsError, QueueStore } from '../jobs/index.js';

/** Database of the embedded server that holds the queue; the record has one of its own. */
const EMBEDDED_DATABASE = 'fleetstep_jobs';

/** `--queue [url]` */
export const queueOption = (description: string): Option =>
  new Option('--queue [url]', description).argParser((text) => {
    if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return text;
    throw new InvalidArgumentError(
      'It must be postgres://user:password@host:port/database, or nothing for the embedded database.',
    );
  });

/** An open queue. */
export interface OpenQueue {
  readonly store: QueueStore;
  readonly deliveries: Deliveries;
  /** Closes the connections, and leaves the embedded server. */
  close(): Promise<void>;
}

/**
 * Opens a queue.
 * @param url    of a PostgreSQL whose role may create schemas; true: the embedded one in FLEETSTEP_DATA or ./data
 * @param report told of faults of the connection
 * @throws JobsError `ERR_QUEUE`, AuditError of the embedded server
 */
export async function openQueue(url: string | true, report: (message: string) => void): Promise<OpenQueue> {
  const embedded = url === true ? await embeddedQueue() : null;
  const way = embedded?.url ?? (url as string);
  let store: QueueStore | null = null;
  try {
    store = await QueueStore.open(way);
    const opened = store;
    const deliveries = await Deliveries.open(way, (message) => report(`queue: ${message}`));
    return {
      store,
      deliveries,
      close: async () => {
        await deliveries.close();
        await opened.close();
        await embedded?.close();
      },
    };
  } catch (error) {
    await store?.close();
    await embedded?.close();
    throw error;
  }
}

async function embeddedQueue(): Promise<{ url: string; close(): Promise<void> }> {
  const given = process.env['FLEETSTEP_DATA'];
  const server = await openEmbedded(given === undefined || given === '' ? 'data' : given);
  const url = new URL(server.superuserUrl);
  const sql = postgres(server.superuserUrl, { max: 1, onnotice: () => undefined });
  try {
    const found = await sql`select 1 from pg_database where datname = ${EMBEDDED_DATABASE}`;
    // Another command may create it at this moment.
    if (found.length === 0) await sql`create database ${sql(EMBEDDED_DATABASE)}`.catch(ifThere);
  } catch (cause) {
    await server.close();
    throw new JobsError('ERR_QUEUE', `the embedded queue's database: ${(cause as Error).message}`, { cause });
  } finally {
    await sql.end({ timeout: 5 });
  }
  url.pathname = `/${EMBEDDED_DATABASE}`;
  return { url: url.href, close: () => server.close() };
}

/** Codes of `duplicate_database` and of a name that two insert at once. */
function ifThere(error: unknown): void {
  if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
}

/** A name that no other worker has. */
export function workerName(): string {
  return `w${process.pid}-${randomBytes(3).toString('hex')}`;
}
