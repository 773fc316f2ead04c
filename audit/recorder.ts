// Acting on record. The order is the point: permission and intent are committed, then the action runs, then its outcome is
// written. Where the database does not say yes in time, nothing is done.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.js';
import { databaseError } from './database.js';
import type { Database } from './database.js';
import { debug } from './debug.js';
import { DeadlineBatcher, RenewableConnection } from './deadline-batcher.js';
import { AuditError } from './errors.js';
import type { Refusal } from './errors.js';
import { checkIntent } from './intent.js';
import type { Intent } from './intent.js';
import { SilenceWatch } from './silence.js';

/** How long the recorder waits. */
export interface RecorderOptions {
  /** Milliseconds within which the database must have said yes, else nothing is done. Default 500. */
  readonly deadlineMs?: number;
  /** Milliseconds that an action may take; then its signal aborts, and it goes on record as `unknown`. Default 30,000. */
  readonly actTimeoutMs?: number;
}

/** What a function that acts is given. */
export interface ActContext {
  /** The row on record. */
  readonly actionId: number;
  /** Aborts when the action has taken too long. */
  readonly signal: AbortSignal;
}

/** What came of an action. */
export interface Act<T> {
  readonly actionId: number;
  readonly status: 'succeeded' | 'dry_run';
  /** What the action returned; absent from a dry run, and where an earlier try had already succeeded. */
  readonly value?: T;
  readonly executionTimeMs?: number;
  /** True if an earlier try under the same key did it, and this one did nothing. */
  readonly replayed: boolean;
  /** False if the database was lost after the action: the outcome is written as soon as it is back. */
  readonly outcomeRecorded: boolean;
}

/** As `autonomy_intend` takes it. */
interface Ask {
  readonly company: number;
  readonly type: string;
  readonly key: string;
  readonly attempt: string;
  readonly description: string;
  readonly booking: number | undefined;
  readonly driver: number | undefined;
  readonly data: Readonly<Record<string, unknown>>;
  readonly confidence: number | undefined;
  readonly improvement: number | undefined;
  readonly trigger: string;
  readonly delay: number | undefined;
  readonly approvedBy: string | undefined;
  readonly unlessAssignedSince: Date | undefined;
  readonly dryRun: boolean;
  readonly actSeconds: number;
}

interface Verdict {
  readonly n: number;
  readonly id: number;
  readonly status: 'intended' | 'succeeded' | 'failed' | 'refused' | 'unknown' | 'dry_run';
  readonly replayed: boolean;
  readonly refusal: Refusal | null;
  /** Whether the earlier action under this key is this one. */
  readonly same: boolean;
}

/** As `autonomy_outcomes` takes it. */
interface Outcome {
  readonly id: number;
  readonly status: 'succeeded' | 'failed' | 'unknown';
  readonly ms: number;
  readonly error: string | null;
}

type Json = Parameters<Connection['json']>[0];

const RETRY_MS = 250;
/** Statements of a kind under way at once. One makes the largest batches, which measured fastest, also over many companies. */
const IN_FLIGHT = 1;
/** Beyond the action's own time: for the outcome to reach the database before the sweeper looks. */
const OUTCOME_SECONDS = 5;

/** Actions on record: permission and intent first, then the action, then its outcome. One for a process is enough; `close` it. */
export class Recorder {
  readonly #connection: RenewableConnection;
  readonly #asks: DeadlineBatcher<Ask, Verdict>;
  readonly #outcomes: DeadlineBatcher<Outcome, true>;
  readonly #closures: DeadlineBatcher<Ask, true>;
  readonly #silence: SilenceWatch;
  readonly #actTimeoutMs: number;
  /** Work that goes on after its caller has been answered: outcomes and closures that the database must still take. */
  readonly #pending = new Set<Promise<void>>();
  #closing = false;

  /** @throws AuditError `ERR_FIELD` */
  constructor(database: Database, options: RecorderOptions = {}) {
    const { deadlineMs = 500, actTimeoutMs = 30_000 } = options;
    inRange('deadlineMs', deadlineMs, 10, 60_000);
    inRange('actTimeoutMs', actTimeoutMs, 10, 3_600_000);
    this.#actTimeoutMs = actTimeoutMs;
    this.#connection = new RenewableConnection(database, 2 * IN_FLIGHT + 1, deadlineMs);
    this.#asks = new DeadlineBatcher(this.#connection, { deadlineMs, inFlight: IN_FLIGHT }, askAll);
    this.#outcomes = new DeadlineBatcher(this.#connection, { deadlineMs, inFlight: IN_FLIGHT }, recordAll);
    this.#silence = new SilenceWatch(database, this.#connection, deadlineMs);
    this.#closures = new DeadlineBatcher(this.#connection, { deadlineMs, inFlight: 1 }, closeAll);
  }

  /** Outcomes that the database has not taken yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Acts, if mode, rules, switches and limits allow it.
   * @param fn does it; runs only once the intent is committed, and never twice under one key
   * @throws AuditError `ERR_REFUSED` (see `refusal`), `ERR_DATABASE` or `ERR_DEADLINE` (nothing was done), `ERR_FIELD`,
   *   `ERR_NOT_FOUND`, `ERR_IDEMPOTENCY`, `ERR_ACT_FAILED` (`cause` is what `fn` threw), `ERR_ACT_UNKNOWN`
   */
  async act<T>(intent: Intent, fn: (context: ActContext) => Promise<T> | T): Promise<Act<T>> {
    if (this.#closing) throw new AuditError('ERR_DATABASE', 'the recorder is closed: nothing was done');
    checkIntent(intent);
    const verdict = await this.#ask(intent);
    const { id: actionId, status } = verdict;
    if (status === 'refused') {
      const refusal = verdict.refusal!;
      throw new AuditError('ERR_REFUSED', refusal.message, { actionId, refusal });
    }
    if (verdict.replayed) return replay(verdict);
    if (status === 'dry_run') return { actionId, status, replayed: false, outcomeRecorded: true };

    const from = performance.now();
    const since = (): number => performance.now() - from;
    let value: T;
    try {
      value = await this.#run(actionId, fn);
    } catch (cause) {
      const timedOut = cause instanceof AuditError && cause.code === 'ERR_ACT_UNKNOWN';
      const message = cause instanceof Error ? cause.message : String(cause);
      await this.#record(actionId, timedOut ? 'unknown' : 'failed', since(), message);
      if (timedOut) throw cause;
      throw new AuditError('ERR_ACT_FAILED', `the action failed: ${message}`, { actionId, cause });
    }
    const executionTimeMs = since();
    const outcomeRecorded = await this.#record(actionId, 'succeeded', executionTimeMs, null);
    return { actionId, status: 'succeeded', value, executionTimeMs, replayed: false, outcomeRecorded };
  }

  /** Asks for permission and commits the intent; one round trip. */
  async #ask(intent: Intent): Promise<Verdict> {
    const ask: Ask = {
      company: intent.companyId,
      type: intent.actionType,
      key: intent.idempotencyKey ?? randomUUID(),
      attempt: randomUUID(),
      description: intent.description,
      booking: intent.bookingId,
      driver: intent.driverId,
      data: intent.data ?? {},
      confidence: intent.confidenceScore,
      improvement: intent.expectedImprovementMinutes,
      trigger: intent.triggerSource,
      delay: intent.delayMinutes,
      approvedBy: intent.approvedBy,
      unlessAssignedSince: intent.unlessAssignedSince,
      dryRun: intent.dryRun ?? false,
      actSeconds: this.#actTimeoutMs / 1000 + OUTCOME_SECONDS,
    };
    try {
      return await this.#asks.request(ask, (end) => {
        debug('an intent of company %d has missed its deadline', ask.company);
        this.#silence.missed(end);
        this.#closeLater(ask, end);
      });
    } catch (cause) {
      const error = databaseError(cause);
      // Whether it was committed is not known if the connection broke under way.
      if (error.code === 'ERR_DATABASE') this.#closeLater(ask, Promise.reject(error));
      throw new AuditError(error.code, `${error.message}: nothing was done`, { cause });
    }
  }

  /** The caller was told that nothing was done; if the intent is committed after all, the record says so, too. */
  #closeLater(ask: Ask, end: Promise<Verdict>): void {
    this.#inBackground(async () => {
      try {
        const { status, replayed } = await end;
        if (replayed || status !== 'intended') return;
      } catch (error) {
        // The database itself refused the statement: nothing was committed. Else the connection broke: look.
        if (databaseError(error).code !== 'ERR_DATABASE') return;
      }
      await this.#persist(() => this.#closures.request(ask, (late) => this.#silence.missed(late)));
    });
  }

  async #run<T>(actionId: number, fn: (context: ActContext) => Promise<T> | T): Promise<T> {
    const aborter = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new AuditError(
          'ERR_ACT_UNKNOWN',
          `the action did not end within ${this.#actTimeoutMs} ms: whether it happened is not known`,
          { actionId },
        );
        reject(error);
        aborter.abort(error);
      }, this.#actTimeoutMs);
    });
    try {
      return await Promise.race([(async () => fn({ actionId, signal: aborter.signal }))(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Writes the outcome; gives false if the database does not take it now, and then goes on trying. */
  async #record(id: number, status: Outcome['status'], ms: number, error: string | null): Promise<boolean> {
    // PostgreSQL stores no NUL.
    const outcome: Outcome = {
      id,
      status,
      ms,
      error: error === null ? null : error.replaceAll('\0', '').slice(0, 2000),
    };
    const write = (): Promise<true> => this.#outcomes.request(outcome, (end) => this.#silence.missed(end));
    try {
      return await write();
    } catch {
      debug('the outcome of action %d is not on record yet: it is tried again', id);
      // An outcome that arrives twice counts once.
      this.#inBackground(() => this.#persist(write));
      return false;
    }
  }

  #inBackground(work: () => Promise<void>): void {
    const done = work().finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  /** Until the database takes it, or the recorder closes: then the sweeper will find the intent. */
  async #persist(write: () => Promise<true>): Promise<void> {
    for (;;) {
      try {
        await write();
        return;
      } catch {
        if (this.#closing) return;
        debug('what the record lacks is tried again in %d ms', RETRY_MS);
        await sleep(RETRY_MS);
      }
    }
  }

  /** Waits for what is under way and closes the connections. @param seconds at most */
  async close(seconds = 5): Promise<void> {
    this.#closing = true;
    await Promise.race([Promise.allSettled([...this.#pending]), sleep(seconds * 1000, undefined, { ref: false })]);
    await Promise.all([this.#silence.close(), this.#connection.end(1)]);
  }
}

async function askAll(sql: Connection, asks: readonly Ask[]): Promise<Verdict[]> {
  const rows = await sql<Verdict[]>`
    select n, id, status, replayed, refusal, same
    from public.autonomy_intend(${sql.json(asks.map((ask, n) => ({ n, ...ask })) as Json)})`;
  const verdicts = Array<Verdict>(asks.length);
  for (const row of rows) verdicts[row.n] = row;
  return verdicts;
}

async function recordAll(sql: Connection, outcomes: readonly Outcome[]): Promise<true[]> {
  await sql`select public.autonomy_outcomes(${sql.json(outcomes as unknown as Json)})`;
  return outcomes.map(() => true);
}

async function closeAll(sql: Connection, asks: readonly Ask[]): Promise<true[]> {
  const refusal: Refusal = { reason: 'deadline', message: 'the database answered too late: nothing was done' };
  await sql`select public.autonomy_abandon(${sql.json(asks as unknown as Json)}, ${sql.json(refusal as unknown as Json)})`;
  return asks.map(() => true);
}

function replay<T>(verdict: Verdict): Act<T> {
  const { id: actionId, status, same } = verdict;
  if (!same) {
    throw new AuditError(
      'ERR_IDEMPOTENCY',
      `the idempotency key belongs to another action (${actionId}): nothing was done`,
      { actionId },
    );
  }
  switch (status) {
    case 'succeeded':
    case 'dry_run':
      return { actionId, status, replayed: true, outcomeRecorded: true };
    case 'failed':
      throw new AuditError(
        'ERR_ACT_FAILED',
        `the action failed in an earlier try (${actionId}): use a new key to try again`,
        { actionId },
      );
    case 'unknown':
      throw new AuditError(
        'ERR_ACT_UNKNOWN',
        `an earlier try under this key (${actionId}) is of unknown outcome: nothing was done again`,
        { actionId },
      );
    default:
      throw new AuditError(
        'ERR_IDEMPOTENCY',
        `an earlier try under this key (${actionId}) is under way: nothing was done`,
        { actionId },
      );
  }
}

function inRange(name: string, value: number, min: number, max: number): void {
  if (!(value >= min && value <= max)) {
    throw new AuditError('ERR_FIELD', `recorder option "${name}" is ${value}: expected ${min} to ${max}`);
  }
}
