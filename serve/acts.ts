// From assignments to acts: mode `auto` through the recorder, and what a person approved. A state grows old while one acts on
// it, so that after a while no more acts are begun.

import { AuditError, addDecisionEvent, findAction, listActions } from '../audit/index.js';
import type { ActionRow, DeadlinePool, Recorder } from '../audit/index.js';
import type { Answer } from '../advise/index.js';
import type { Connector } from './connector.js';
import { ServeError } from './errors.js';
import type { KillSwitch } from './kill-switch.js';
import type { Id } from '../advise/rules.js';
import { snake } from './snake.js';

/** What became of one assignment in `auto`. */
export interface ActResult {
  readonly shipment: Id;
  readonly vehicle: Id;
  readonly status: 'succeeded' | 'dry_run' | 'refused' | 'failed' | 'unknown';
  readonly action_id: number | null;
  /** As it is on record, with its names as in answers. */
  readonly refusal?: { readonly reason: string; readonly message: string };
  readonly message?: string;
}

export interface ActsOptions {
  readonly recorder: Recorder;
  readonly pool: DeadlinePool;
  readonly killSwitch: KillSwitch;
  readonly connector: Connector;
  /** Milliseconds after a decision within which its acts begin; default 10,000. */
  readonly actWithinMs?: number | undefined;
}

/** The decision that is acted on. */
export interface Acting {
  readonly companyId: number;
  readonly answer: Answer;
  /** When it was made. */
  readonly at: Date;
  /**
   * When it was asked for, by the clock of the database: of what has been assigned since, it knows nothing. Not when it was
   * recorded, as another may assign while it is computed; and not by the clock of this machine, which may be ahead.
   */
  readonly since: Date;
  /** Who asked, or approves. */
  readonly by: string;
}

/** A person may look at it for so long before approving. */
const APPROVE_WITHIN_MS = 5 * 60_000;

export class Acts {
  readonly #options: ActsOptions;
  readonly #withinMs: number;

  constructor(options: ActsOptions) {
    this.#options = options;
    this.#withinMs = options.actWithinMs ?? 10_000;
  }

  /**
   * Every assignment in its order and one after the other: where a limit is reached, the more urgent ones have passed.
   * @param again what an earlier try has begun is told, and not begun again
   * @throws ServeError `ERR_CONFLICT` if an earlier try is still under way
   */
  async all(acting: Acting, again: boolean): Promise<ActResult[]> {
    const acts: ActResult[] = [];
    for (const assignment of acting.answer.assignments) {
      const inTime = Date.now() - acting.at.getTime() <= this.#withinMs;
      acts.push(inTime ? await this.#act(acting, assignment) : await this.#tooLate(acting, assignment, again));
    }
    await this.#note(acting, acts);
    return acts;
  }

  /**
   * One assignment that a person has approved; under the key that was refused for want of it, so that it is done once.
   * The caller has asked `checkApprovable`.
   * @throws ServeError `ERR_CONFLICT` if an earlier try is still under way, or somebody else has assigned the shipment since
   */
  async approved(acting: Acting, assignment: Answer['assignments'][number]): Promise<ActResult> {
    const act = await this.#act(acting, assignment, acting.by);
    await this.#note(acting, [act]);
    return act;
  }

  /**
   * Tells early what can be told before the person's word goes on record; what two do at the same moment, the act itself decides.
   * @throws ServeError `ERR_CONFLICT` if the decision is too old, or another one has assigned the shipment since
   */
  async checkApprovable({ answer, companyId, at, since }: Acting, shipment: Id): Promise<void> {
    const age = Date.now() - at.getTime();
    if (age > APPROVE_WITHIN_MS) {
      const minutes = (ms: number): number => Math.floor(ms / 60_000);
      throw new ServeError(
        'ERR_CONFLICT',
        `the decision is ${minutes(age)} min old, its state has moved on: ask again, and approve within ${minutes(APPROVE_WITHIN_MS)} min`,
      );
    }
    if (typeof shipment !== 'number') return;
    const filter = { companyId, bookingId: shipment, actionType: 'assign', from: since } as const;
    const { actions } = await this.#options.pool.ask((sql) => listActions(sql, filter));
    const other = actions.find(
      ({ status, idempotency_key: key }) =>
        status !== 'refused' && status !== 'failed' && key !== keyOf(answer, shipment),
    );
    if (other === undefined) return;
    throw new ServeError('ERR_CONFLICT', `shipment ${shipment} has been assigned since, by action ${other.id}`);
  }

  async #act(
    { answer, companyId, since }: Acting,
    assignment: Answer['assignments'][number],
    approvedBy?: string,
  ): Promise<ActResult> {
    const { shipment, vehicle, pickup_eta, delivery_eta, lateness, confidence, reasons } = assignment;
    const { decision_id, policy } = answer.provenance;
    const pair = { shipment, vehicle };
    if (typeof shipment !== 'number' || typeof vehicle !== 'number') {
      const message = 'auto needs the numbers under which booking and driver are on record: nothing was done';
      return { ...pair, status: 'refused', action_id: null, message };
    }
    const { connector, recorder, killSwitch } = this.#options;
    if (killSwitch.isHeld(companyId)) {
      const message = 'a stop was asked for, and the database has not confirmed it yet: nothing is begun';
      return { ...pair, status: 'refused', action_id: null, refusal: { reason: 'kill_switch', message }, message };
    }
    const begunAt = performance.now();
    const key = keyOf(answer, shipment);
    const data = { decision_id, shipment, vehicle, pickup_eta, delivery_eta, lateness };
    try {
      const act = await recorder.act(
        {
          companyId,
          actionType: 'assign',
          description: `Assign booking ${shipment} to driver ${vehicle}: ${reasons[0]}`,
          bookingId: shipment,
          driverId: vehicle,
          data,
          confidenceScore: confidence ?? undefined,
          triggerSource: `policy:${policy}`.slice(0, 100),
          approvedBy,
          idempotencyKey: key,
          unlessAssignedSince: since,
          dryRun: connector.dryRun,
        },
        ({ actionId, signal }) => {
          // The database let it through before it was asked to stop.
          if (killSwitch.wasAsked(companyId, begunAt)) throw new Error('the kill switch was used: not delivered');
          return connector.deliver({ key, type: 'assign', companyId, actionId, data }, signal, () =>
            killSwitch.mayGoOn(companyId, begunAt),
          );
        },
      );
      return { ...pair, status: act.status, action_id: act.actionId };
    } catch (error) {
      if (!(error instanceof AuditError)) throw error;
      if (error.code === 'ERR_IDEMPOTENCY') {
        // What it comes to, the earlier try will put on record.
        throw new ServeError('ERR_CONFLICT', 'an earlier try of this request is under way: ask again', {
          cause: error,
        });
      }
      // Of two who approve at the same moment, the database lets one through.
      if (approvedBy !== undefined && error.refusal?.reason === 'assigned') {
        throw new ServeError('ERR_CONFLICT', `shipment ${shipment}: ${error.refusal.message}`, { cause: error });
      }
      const status = { ERR_ACT_FAILED: 'failed', ERR_ACT_UNKNOWN: 'unknown' }[error.code as string] ?? 'refused';
      return {
        ...pair,
        status: status as ActResult['status'],
        action_id: error.actionId ?? null,
        message: error.message,
        ...(error.refusal === undefined ? {} : { refusal: snake(error.refusal) as NonNullable<ActResult['refusal']> }),
      };
    }
  }

  async #tooLate(
    { answer, companyId }: Acting,
    { shipment, vehicle }: Answer['assignments'][number],
    again: boolean,
  ): Promise<ActResult> {
    const pair = { shipment, vehicle };
    const row = again
      ? await this.#options.pool.ask((sql) => findAction(sql, companyId, keyOf(answer, shipment)))
      : null;
    if (row !== null) return { ...pair, ...toldOf(row) };
    const message = `not begun within ${this.#withinMs / 1000} s of the decision: its state has moved on, ask again`;
    return { ...pair, status: 'refused', action_id: null, message };
  }

  async #note({ answer, companyId, by }: Acting, acts: readonly ActResult[]): Promise<void> {
    try {
      const decision = { id: answer.provenance.decision_id, companyId };
      await this.#options.pool.once((sql) => addDecisionEvent(sql, decision, { kind: 'acts', by, detail: acts }));
    } catch (error) {
      // The acts themselves are on record, each with this decision's id.
      if (!(error instanceof AuditError)) throw error;
    }
  }
}

function keyOf({ provenance }: Answer, shipment: Id): string {
  return `${provenance.decision_id}/${shipment}`;
}

function toldOf({ id, status, error_message: message }: ActionRow): Omit<ActResult, 'shipment' | 'vehicle'> {
  if (status === 'intended') return { status: 'unknown', action_id: id, message: 'it is under way' };
  return { status, action_id: id, ...(message === null ? {} : { message }) };
}
