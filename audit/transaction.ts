// Transactions whose connection may break. The driver would write its rollback to a socket that is gone, which ends the
// process (porsager/postgres#1208): here it does not hear of it, and nothing more is asked of a connection that has broken.

import type { Connection, Transaction, Work } from './connection.js';

type Begin = (modes: string, work: Work<unknown>) => Promise<unknown>;

/**
 * The driver's own `begin`, but safe.
 * @param first is done at the beginning of each transaction
 */
export function safely(connection: Connection, first: Work<void>): <T>(modes: string, work: Work<T>) => Promise<T> {
  const begin = connection.begin.bind(connection) as Begin;
  return <T>(modes: string, work: Work<T>) =>
    new Promise<T>((resolve, reject) => {
      /** What has broken is said to the caller at once, and to the driver never: its own part of it is forgotten. */
      const unlessBroken =
        <R>(part: Work<R>): Work<R> =>
        async (tx) => {
          try {
            return await part(withParts(tx, unlessBroken));
          } catch (error) {
            if (!isBroken(error)) throw error;
            reject(error instanceof Error ? error : new Error(String(error)));
            return new Promise<never>(() => undefined);
          }
        };
      const whole = unlessBroken(async (tx) => {
        await first(tx);
        return work(tx);
      });
      begin(modes, whole).then(resolve as (value: unknown) => void, reject);
    });
}

/** A transaction within it is a part that can be taken back. */
function withParts(tx: Transaction, unlessBroken: <R>(part: Work<R>) => Work<R>): Transaction {
  const savepoint = tx.savepoint.bind(tx) as (part: Work<unknown>) => Promise<unknown>;
  const part = (given: Work<unknown>): Promise<unknown> => savepoint(unlessBroken(given));
  return Object.assign(tx, { savepoint: part, begin: part });
}

/** The connection is gone: the driver says so, or the server with its last word. */
function isBroken(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    const { code = '', severity_local: local, severity } = one as Error & Record<string, string | undefined>;
    if (severity !== undefined || local !== undefined) return severity === 'FATAL' || severity === 'PANIC';
    if (/^(CONNECTION_|CONNECT_TIMEOUT$|E[A-Z]{4,}$)/.test(code)) return true;
  }
  return false;
}
