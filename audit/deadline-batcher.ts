// Requests that are answered in time or not at all, many to a statement. The driver knows no deadline: a frozen server
// would hang its callers for as long as it is frozen, and every later caller behind them. Here each caller has his own
// deadline; what comes later goes to `late`, and connections that never come back are replaced.
//
// No timer makes a batch: a request goes out at once if a place is free, and those that come while all places are taken go
// together when one is. So a lone request waits for nobody, and a hundred cost little more than one.

import { connect, databaseError, settled } from './database.js';
import type { Connection, Database } from './database.js';
import { AuditError } from './errors.js';

/** A statement that is this much over its deadline holds a connection that is given up. */
const LOST_AFTER_MS = 5000;
const MAX_BATCH = 64;

/** Connections of the application's role that can be thrown away and opened anew. */
export class RenewableConnection {
  readonly #open: () => Connection;
  #current: Connection;
  readonly #ending = new Set<Promise<void>>();

  constructor(database: Database, max: number, statementTimeoutMs: number) {
    this.#open = () => connect(database, { role: 'app', max, statementTimeoutMs });
    this.#current = this.#open();
  }

  get current(): Connection {
    return this.#current;
  }

  /** Breaks all statements that are under way on `lost`. */
  renew(lost: Connection): void {
    if (lost !== this.#current) return;
    this.#current = this.#open();
    const ended = lost.end({ timeout: 0 }).finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  /** @param seconds that statements under way may take to end */
  async end(seconds: number): Promise<void> {
    await Promise.all([this.#current.end({ timeout: seconds }), ...this.#ending]);
  }
}

/** How requests are put together, and how long they may take. */
export interface BatcherOptions {
  /** Milliseconds from the request to its answer. */
  readonly deadlineMs: number;
  /** Batches under way at once. */
  readonly inFlight: number;
  /** Requests of a batch at most; default 64. */
  readonly maxBatch?: number;
}

interface Request<I, O> {
  readonly input: I;
  readonly late: ((end: Promise<O>) => void) | undefined;
  /** What came of it in the end, be it in time or late. */
  readonly end: Promise<O>;
  readonly settle: (result: { readonly value: O } | { readonly error: Error }) => void;
  sent: boolean;
  expired: boolean;
}

/** Sends requests many to a statement; each is answered within its deadline, or fails. */
export class DeadlineBatcher<I, O> {
  readonly #connection: RenewableConnection;
  readonly #send: (sql: Connection, inputs: readonly I[]) => Promise<readonly O[]>;
  readonly #options: BatcherOptions;
  readonly #queue: Request<I, O>[] = [];
  #underWay = 0;

  /** @param send runs one statement for all inputs, and gives their outputs in the same order */
  constructor(
    connection: RenewableConnection,
    options: BatcherOptions,
    send: (sql: Connection, inputs: readonly I[]) => Promise<readonly O[]>,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#send = send;
  }

  /**
   * @param late is called if the deadline passes after the request was sent, with what comes of it in the end
   * @throws AuditError `ERR_DEADLINE`; or what the driver threw in time
   */
  request(input: I, late?: (end: Promise<O>) => void): Promise<O> {
    return new Promise<O>((resolve, reject) => {
      const { deadlineMs } = this.#options;
      let settle!: Request<I, O>['settle'];
      const end = new Promise<O>((resolveEnd, rejectEnd) => {
        settle = (result) => ('value' in result ? resolveEnd(result.value) : rejectEnd(result.error));
      });
      const request: Request<I, O> = { input, late, end, settle, sent: false, expired: false };
      const timer = setTimeout(() => {
        request.expired = true;
        if (request.sent) late?.(end);
        else this.#queue.splice(this.#queue.indexOf(request), 1);
        reject(new AuditError('ERR_DEADLINE', `the database did not answer within ${deadlineMs} ms`));
      }, deadlineMs);
      end.then(resolve, reject).finally(() => clearTimeout(timer));
      this.#queue.push(request);
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#underWay < this.#options.inFlight && this.#queue.length > 0) {
      const batch = this.#queue.splice(0, this.#options.maxBatch ?? MAX_BATCH);
      this.#underWay++;
      void this.#deliver(batch).finally(() => {
        this.#underWay--;
        this.#flush();
      });
    }
  }

  async #deliver(batch: readonly Request<I, O>[]): Promise<void> {
    for (const request of batch) request.sent = true;
    try {
      const outputs = await this.#statement(batch.map(({ input }) => input));
      batch.forEach((request, k) => request.settle({ value: outputs[k] }));
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const { code } = databaseError(error);
      if (batch.length === 1 || code === 'ERR_DATABASE' || code === 'ERR_DEADLINE') {
        for (const request of batch) request.settle({ error });
        return;
      }
      // One of them is at fault, and has taken the others with it: nothing of the batch was committed. Each alone.
      for (const request of batch) {
        if (request.expired) request.settle({ error });
        else await this.#deliver([request]);
      }
    }
  }

  async #statement(inputs: readonly I[]): Promise<readonly O[]> {
    const connection = this.#connection.current;
    const lost = setTimeout(() => this.#connection.renew(connection), this.#options.deadlineMs + LOST_AFTER_MS);
    try {
      return await settled(connection, (sql) => this.#send(sql, inputs));
    } finally {
      clearTimeout(lost);
    }
  }
}
