// From assignments to actions: mode `auto` through the recorder, and actions that a person approved. The state ages while actions
// are carried out, so that after some seconds no further action is started.

import { AuditError, addDecisionEvent, findAction, listActions } from '../audit/index.js';
import type { ActionRow, DeadlinePool, Recorder } from '../audit/index.js';
import type { Answer } from '../advise/index.js';
import type { ActResult } from './act-schema.js';
import type { Connector } from './connector.js';
import { debug } from './debug.js';
import { ServeError } from './errors.js';
import type { KillSwitch } from './kill-switch.js';
import type { Id } from '../advise/rules.js';
import { snake } from './snake.js';

/** Options of `Acts`. */
export interface ActsOptions {
  /** Permits and records actions. */
  readonly recorder: Recorder;
  /** For reading actions and adding events to decisions. */
  readonly pool: DeadlinePool;
  /** Asked before an action starts and before it is delivered. */
  readonly killSwitch: KillSwitch;
  /** Delivers actions. */
  readonly connector: Connector;
  /** Milliseconds after a decision within which its actions must start; default 10,000. */
  readonly actWithinMs?: number | undefined;
}

/** The decision that is carried out. */
export interface Acting {
  /** Company of the decision. */
  readonly companyId: number;
  /** The decision. */
  readonly answer: Answer;
  /** When it was made, on this machine's clock. */
  readonly at: Date;
  /**
   * When it was requested, on the database's clock: it does not know of assignments since. Not when it was recorded, as another
   * may assign while it is computed; and not on this machine's clock, which may be ahead.
   */
  readonly since: Date;
  /** Account that requested or approves it. */
  readonly by: string;
}

/** Milliseconds after a decision within which a person may approve its actions. */
const APPROVE_WITHIN_MS = 5 * 60_000;

/** Carries out the assignments of decisions. */
export class Acts {
  readonly #options: ActsOptions;
  readonly #withinMs: number;

  /** @param options recorder, connector and deadline */
  constructor(options: ActsOptions) {
    this.#options = options;
    this.#withinMs = options.actWithinMs ?? 10_000;
  }

  /**
   * Carries out every assignment, one after the other in order of rank: if a limit is reached, the more urgent ones have passed.
   * @param again true for a retry: actions that an earlier try started are reported, and not started again
   * @throws ServeError `ERR_CONFLICT` if an earlier try is still in progress
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
   * Carries out one assignment that a person has approved, under the idempotency key of the refused action, so that it happens
   * once. Call `checkApprovable` before.
   * @throws ServeError `ERR_CONFLICT` if an earlier try is still in progress, or another action has assigned the shipment since
   */
  async approved(acting: Acting, assignment: Answer['assignments'][number]): Promise<ActResult> {
    const act = await this.#act(acting, assignment, acting.by);
    await this.#note(acting, [act]);
    return act;
  }

  /**
   * Checks whether an approval can succeed, before it is recorded. Of two simultaneous approvals, the database permits one.
   * @throws ServeError `ERR_CONFLICT` if the decision is too old, or another action has assigned the shipment since
   */
  async checkApprovable({ answer, companyId, at, since }: Acting, shipment: Id): Promise<void> {
    const age = Date.now() - at.getTime();
    if (age > APPROVE_WITHIN_MS) {
      const minutes = (ms: number): number => Math.floor(ms / 60_000);
      throw new ServeError(
        'ERR_CONFLICT',
        `the decision is ${minutes(age)} min old: request a new recommendation, and approve it within ${minutes(APPROVE_WITHIN_MS)} min`,
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
    throw new ServeError(
      'ERR_CONFLICT',
      `shipment ${shipment} has been assigned since the decision, by action ${other.id}: request a new recommendation`,
    );
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
      const message =
        'mode auto needs the ids of booking and driver on record, which are whole numbers: no action was started';
      return { ...pair, status: 'refused', action_id: null, message };
    }
    const { connector, recorder, killSwitch } = this.#options;
    if (killSwitch.isHeld(companyId)) {
      const message = 'a stop was requested and the database has not confirmed it yet: no action is started';
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
          // The database permitted the action before it received the stop.
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
        // The earlier try will record the outcome.
        throw new ServeError('ERR_CONFLICT', 'an earlier try of this request is in progress: retry later', {
          cause: error,
        });
      }
      // Of two simultaneous approvals, the database permits one.
      if (approvedBy !== undefined && error.refusal?.reason === 'assigned') {
        throw new ServeError('ERR_CONFLICT', `shipment ${shipment}: ${error.refusal.message}`, { cause: error });
      }
      const status = { ERR_ACT_FAILED: 'failed', ERR_ACT_UNKNOWN: 'unknown' }[error.code as string] ?? 'refused';
      return {
        ...pair,
        status: status as ActResult['status'],
        action_id: error.actionId ?? null,
        message: error.message,
        ...(error.refusal === undefined ? {} : { refusal: snake(error.refusal) }),
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
    const message = `not started within ${this.#withinMs / 1000} s of the decision: request a new recommendation`;
    return { ...pair, status: 'refused', action_id: null, message };
  }

  async #note({ answer, companyId, by }: Acting, acts: readonly ActResult[]): Promise<void> {
    try {
      const decision = { id: answer.provenance.decision_id, companyId };
      await this.#options.pool.once((sql) => addDecisionEvent(sql, decision, { kind: 'acts', by, detail: acts }));
    } catch (error) {
      // The actions themselves are on record, each with this decision's id.
      if (!(error instanceof AuditError)) throw error;
      debug('actions of decision %s not noted: %s', answer.provenance.decision_id, error.message);
    }
  }
}

function keyOf({ provenance }: Answer, shipment: Id): string {
  return `${provenance.decision_id}/${shipment}`;
}

function toldOf({ id, status, error_message: message }: ActionRow): Omit<ActResult, 'shipment' | 'vehicle'> {
  if (status === 'intended') return { status: 'unknown', action_id: id, message: 'it is in progress' };
  return { status, action_id: id, ...(message === null ? {} : { message }) };
}
