// What a connection and a transaction are here: the driver's own, with the server's bigints as numbers.

import type { PostgresType, Sql, TransactionSql } from 'postgres';

interface NumberTypes extends Record<string, PostgresType> {
  readonly bigint: PostgresType<number>;
}

/** How the driver reads a bigint: ids and sums stay far below 2^53. */
export const numberTypes: NumberTypes = {
  bigint: { to: 20, from: [20], serialize: String, parse: Number },
};

/** A pool of the driver's connections; `bigint` columns come as numbers. */
export type Connection = Sql<{ bigint: number }>;

/** One transaction of such a connection. */
export type Transaction = TransactionSql<{ bigint: number }>;

/** What is done within a transaction. */
export type Work<T> = (tx: Transaction) => Promise<T> | T;
