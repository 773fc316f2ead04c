// What the service does for one caller, whoever carries the messages: recommend, put on record, act within limits, and
// tell later what was decided and why.

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { v7 as uuid } from 'uuid';
import { AuditError, addDecisionEvent, findDecision, listDecisions, readDecision } from '../audit/index.js';
import type { Connection, DecisionDetail, DecisionLog, DecisionSummary, Recorder, Refusal } from '../audit/index.js';
import { analyze } from './analyze.js';
import type { Analysis, PlannedPair } from './analyze.js';
import type { Answer } from './answer.js';
import type { Caller } from './auth.js';
import type { Connector } from './connector.js';
import { ServeError, badField } from './errors.js';
import { sha256 } from './policies.js';
import type { Recommender, Replay } from './recommend.js';
import { checkRequest } from './request.js';
import type { RecommendRequest } from './request.js';
import { show } from './schema.js';
import type { Id } from './schema.js';

/** What became of one assignment in `auto`. */
export interface ActResult {
  readonly shipment: Id;
  readonly vehicle: Id;
  readonly status: 'succeeded' | 'dry_run' | 'refused' | 'failed' | 'unknown';
  readonly action_id: number | null;
  readonly refusal?: Refusal;
  readonly message?: string;
}

export type AnswerWithActs = Answer & { readonly acts?: readonly ActResult[] };

export interface Outcome {
  readonly shipment: Id;
  readonly outcome: 'accepted' | 'overridden';
  readonly vehicle?: Id;
  readonly reason?: string;
}

/** The last thing that a company asked, for its dashboard. */
export interface LastAsked {
  readonly request: RecommendRequest;
  readonly answer: AnswerWithActs;
  readonly at: Date;
}

export interface ServiceOptions {
  readonly recommender: Recommender;
  readonly log: DecisionLog;
  readonly recorder: Recorder;
  readonly connection: Connection;
  readonly connector: Connector;
  /** What to do where the database is gone, in `shadow` and `recommend`: `answer` says that it is not on record. */
  readonly unrecorded: 'answer' | 'refuse';
}

/** Companies whose last request is kept, and up to how many bytes. */
const KEPT = 200;
const LARGEST_KEPT = 256 * 1024;
/** A request keeps all others waiting while it is computed. */
const LONGEST_DEADLINE_MS = 1000;

// A member called toJSON is what somebody sent, no function of ours.
const packr = new Packr({ useRecords: true, useToJSON: false });

/** SHA-256 of a request as it is stored. */
export function hashOf(request: RecommendRequest): string {
  return sha256(packr.pack(request));
}

export class Service {
  readonly recommender: Recommender;
  readonly #options: ServiceOptions;
  readonly #last = new Map<number, LastAsked>();

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.recommender = options.recommender;
  }

  /**
   * @param key of a caller who may ask again: the same answer then, and nothing done twice
   * @throws ServeError `ERR_REQUEST`; `ERR_CONFLICT` if the key was used for another request; `ERR_UNRECORDED` where the database is gone and the mode is `auto`, or the service is
   *   to refuse then
   */
  async recommend(body: unknown, caller: Caller, companyId: number, key: string | null): Promise<AnswerWithActs> {
    const request = bounded(checkRequest(body));
    const id = uuid();
    const packed = packr.pack(request);
    const stateHash = sha256(packed);
    if (key !== null) {
      const earlier = await this.#earlier(key, stateHash, caller, companyId);
      if (earlier !== null) return earlier;
    }
    const answer = this.recommender.recommend(request, { decisionId: id, stateHash });
    const { provenance } = answer;
    try {
      await this.#options.log.record({
        id,
        companyId,
        requestedBy: caller.subject,
        idempotencyKey: key,
        mode: answer.mode,
        policy: provenance.policy,
        policyHash: provenance.policy_hash,
        stateHash: provenance.state_hash,
        fallback: provenance.fallback?.reason ?? null,
        assigned: answer.assignments.length,
        waiting: answer.waiting.length,
        unassigned: answer.unassigned.length,
        request: packed,
        // A third of the size for the twentieth part of the time that recording takes.
        answer: deflateRawSync(packr.pack(answer), { level: 1 }),
      });
    } catch (cause) {
      return this.#unrecorded(answer, cause);
    }
    const whole = answer.mode === 'auto' ? await this.#act(answer, caller, companyId) : answer;
    if (packed.length <= LARGEST_KEPT) this.#keep(companyId, { request, answer: whole, at: new Date() });
    return whole;
  }

  /** What was answered under this key before; acts that were not told of are asked for once more, and done at most once. */
  async #earlier(key: string, stateHash: string, caller: Caller, companyId: number): Promise<AnswerWithActs | null> {
    const found = await findDecision(this.#options.connection, companyId, key);
    if (found === null) return null;
    if (found.stateHash !== stateHash) {
      throw new ServeError('ERR_CONFLICT', `the idempotency key belongs to another request, decision ${found.id}`);
    }
    const answer = answerOf(found.answer);
    if (answer.mode !== 'auto') return answer;
    const acts = found.events.find(({ kind }) => kind === 'acts')?.detail as readonly ActResult[] | undefined;
    return acts === undefined ? this.#act(answer, caller, companyId) : { ...answer, acts };
  }

  #unrecorded(answer: Answer, cause: unknown): Answer {
    if (!(cause instanceof AuditError)) throw cause;
    // A company that is not known: no matter of the database's health.
    if (cause.code !== 'ERR_DATABASE' && cause.code !== 'ERR_DEADLINE' && cause.code !== 'ERR_NOT_MIGRATED')
      throw cause;
    if (answer.mode === 'auto') {
      throw new ServeError('ERR_UNRECORDED', 'the record cannot be written: nothing was done', { cause });
    }
    if (this.#options.unrecorded === 'refuse') {
      throw new ServeError('ERR_UNRECORDED', 'the record cannot be written, and nothing is answered without it', {
        cause,
      });
    }
    return { ...answer, provenance: { ...answer.provenance, recorded: false } };
  }

  #keep(companyId: number, last: LastAsked): void {
    this.#last.delete(companyId);
    this.#last.set(companyId, last);
    if (this.#last.size > KEPT) this.#last.delete(this.#last.keys().next().value!);
  }

  last(companyId: number): LastAsked | null {
    return this.#last.get(companyId) ?? null;
  }

  /** Every assignment through the recorder, in its order: mode, rules, limits and switches of the company decide. */
  async #act(answer: Answer, caller: Caller, companyId: number): Promise<AnswerWithActs> {
    const acts: ActResult[] = [];
    // In their order and one after the other: where a limit is reached, the more urgent ones have passed.
    for (const assignment of answer.assignments) {
      acts.push(await this.#actOne(answer, assignment, companyId));
    }
    const { decision_id: id } = answer.provenance;
    try {
      await addDecisionEvent(
        this.#options.connection,
        { id, companyId },
        { kind: 'acts', by: caller.subject, detail: acts },
      );
    } catch (error) {
      // The acts themselves are on record, each with this decision's id.
      if (!(error instanceof AuditError)) throw error;
    }
    return { ...answer, acts };
  }

  async #actOne(answer: Answer, assignment: Answer['assignments'][number], companyId: number): Promise<ActResult> {
    const { shipment, vehicle, pickup_eta, delivery_eta, lateness, confidence, reasons } = assignment;
    const { decision_id: decisionId, policy } = answer.provenance;
    const pair = { shipment, vehicle };
    if (typeof shipment !== 'number' || typeof vehicle !== 'number') {
      const message = 'auto needs the numbers under which booking and driver are on record: nothing was done';
      return { ...pair, status: 'refused', action_id: null, message };
    }
    const { connector, recorder } = this.#options;
    const key = `${decisionId}/${shipment}`;
    const data = { decisionId, shipment, vehicle, pickup_eta, delivery_eta, lateness };
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
          idempotencyKey: key,
          dryRun: connector.dryRun,
        },
        ({ actionId, signal }) => connector.deliver({ key, type: 'assign', companyId, actionId, data }, signal),
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
      const status = { ERR_ACT_FAILED: 'failed', ERR_ACT_UNKNOWN: 'unknown' }[error.code as string] ?? 'refused';
      return {
        ...pair,
        status: status as ActResult['status'],
        action_id: error.actionId ?? null,
        message: error.message,
        ...(error.refusal === undefined ? {} : { refusal: error.refusal }),
      };
    }
  }

  /** @throws AuditError `ERR_NOT_FOUND` */
  async decision(id: string, companyId: number | undefined): Promise<object> {
    const { request, answer, ...row } = await readDecision(this.#options.connection, id, companyId);
    return { ...row, request: packr.unpack(request) as unknown, answer: answerOf(answer) };
  }

  decisions(companyId: number | undefined, limit: number, before: string | undefined): Promise<DecisionSummary[]> {
    return listDecisions(this.#options.connection, { companyId, limit, before });
  }

  /**
   * Computes a decision again from what was stored.
   * @throws AuditError `ERR_NOT_FOUND`; ServeError `ERR_CONFLICT` if the policy is not here any more
   */
  async replay(id: string, companyId: number | undefined): Promise<{ same: boolean; sha256: string; answer: Answer }> {
    const { row, request, answer } = await this.#stored(id, companyId);
    const { policy, policy_hash: hash, version } = answer.provenance;
    const served = this.recommender.policies.all.find((one) => one.name === policy);
    if (served?.hash !== hash || version !== this.recommender.version) {
      throw new ServeError(
        'ERR_CONFLICT',
        `the decision is of policy "${policy}" with hash ${hash} on version ${version}: serve these to compute it again`,
      );
    }
    const replay: Replay = answer.provenance;
    const again = this.recommender.recommend(
      { ...request, policy },
      { decisionId: id, stateHash: row.stateHash, replay },
    );
    if (again.provenance.world_hash !== answer.provenance.world_hash) {
      throw new ServeError(
        'ERR_CONFLICT',
        'the decision was made in another world: serve with the --scenario of then to compute it again',
      );
    }
    const text = JSON.stringify(again);
    return { same: text === JSON.stringify(answer), sha256: sha256(text), answer: again };
  }

  async #stored(
    id: string,
    companyId: number | undefined,
  ): Promise<{ row: DecisionDetail; request: RecommendRequest; answer: Answer }> {
    const row = await readDecision(this.#options.connection, id, companyId);
    return {
      row,
      request: packr.unpack(row.request) as RecommendRequest,
      answer: answerOf(row.answer),
    };
  }

  /**
   * What a person made of a recommendation.
   * @throws AuditError `ERR_NOT_FOUND`; ServeError `ERR_REQUEST` for a shipment that the decision does not know
   */
  async outcome(id: string, outcome: Outcome, caller: Caller, companyId: number | undefined): Promise<object> {
    const { row, request, answer } = await this.#stored(id, companyId);
    const assignment = answer.assignments.find(({ shipment }) => shipment === outcome.shipment);
    const known = [answer.assignments, answer.waiting, answer.unassigned].some((list) =>
      list.some(({ shipment }) => shipment === outcome.shipment),
    );
    if (!known) throw badField('shipment', `is ${show(outcome.shipment)}: the decision has no such shipment`);
    if (outcome.vehicle !== undefined && !request.vehicles.some((vehicle) => vehicle.id === outcome.vehicle)) {
      throw badField('vehicle', `is ${show(outcome.vehicle)}: the decision has no such vehicle`);
    }
    if (outcome.outcome === 'overridden' && (outcome.reason ?? '').trim() === '') {
      throw badField('reason', 'is missing: say why the recommendation was overridden');
    }
    if (outcome.outcome === 'accepted' && assignment === undefined) {
      throw badField('outcome', 'is accepted: the shipment was not assigned, so it can only be overridden');
    }
    if (outcome.outcome === 'accepted' && outcome.vehicle !== undefined && outcome.vehicle !== assignment?.vehicle) {
      throw badField(
        'vehicle',
        `is ${outcome.vehicle}: recommended was ${assignment!.vehicle}; another one is overridden`,
      );
    }
    const detail = { ...outcome, recommended: assignment?.vehicle ?? null };
    const decision = { id, companyId: row.companyId };
    await addDecisionEvent(this.#options.connection, decision, { kind: 'outcome', by: caller.subject, detail });
    return { decision_id: id, ...detail, by: caller.subject };
  }

  /** Scores a person's plan beside the policy's. */
  analyze(body: unknown): Analysis {
    const { plan, ...rest } = body as { plan: PlannedPair[] };
    // Nobody sees the explanation, and the time is bounded as in `recommend`.
    return analyze(this.recommender, { ...bounded(checkRequest(rest)), explain: false }, plan);
  }
}

function bounded(request: RecommendRequest): RecommendRequest {
  const { deadline_ms: deadline = 0 } = request;
  return deadline > LONGEST_DEADLINE_MS ? { ...request, deadline_ms: LONGEST_DEADLINE_MS } : request;
}

function answerOf(stored: Uint8Array): Answer {
  return packr.unpack(inflateRawSync(stored)) as Answer;
}
