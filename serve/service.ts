// The service without its transport: recommends, records decisions, carries out actions within limits, and reports later what was
// decided and why.

import { shownJson } from '../engine/index.js';
import { isDeepStrictEqual } from 'node:util';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { v7 as uuid } from 'uuid';
import {
  AuditError,
  DeadlinePool,
  DecisionLog,
  Recorder,
  addDecisionEvent,
  allowsOwnApproval,
  findDecision,
  listDecisions,
  readDecision,
  recordedAt,
} from '../audit/index.js';
import type { Database, DecisionDetail } from '../audit/index.js';
import { Acts } from './acts.js';
import type { ActsOptions } from './acts.js';
import type { ActResult, AnswerWithActs } from './act-schema.js';
import { badField, checkRequest, pack, sha256, unpack } from '../advise/index.js';
import type {
  Analysis,
  AnalyzedPair,
  Answer,
  PlannedPair,
  Recommender,
  RecommendRequest,
  Replay,
} from '../advise/index.js';
import type { Caller } from './auth.js';
import { Background } from './background.js';
import type { Way } from './background.js';
import { debug } from './debug.js';
import { ServeError, isUnreachable } from './errors.js';
import { KillSwitch } from './kill-switch.js';
import type { Id } from '../advise/rules.js';
import type { Decision, Decisions, Outcome, RecordedOutcome, ToldOutcome } from './other-schemas.js';
import type { Sent } from './routes.js';
import { snake } from './snake.js';

/** The latest request of a company, for its dashboard. */
export interface LastAsked {
  /** As it was understood. */
  readonly request: RecommendRequest;
  /** Its answer. */
  readonly answer: AnswerWithActs;
  /** When it came. */
  readonly at: Date;
  /** Outcomes since, the latest of each shipment. */
  readonly outcomes: readonly ToldOutcome[];
}

/** Options of `Service`. */
export interface ServiceOptions extends Omit<ActsOptions, 'recorder' | 'pool' | 'killSwitch'> {
  /** Computes recommendations; its networks are copied to other threads. */
  readonly recommender: Recommender;
  /** Where the record is. */
  readonly database: Database;
  /** In modes `shadow` and `recommend` without a database: `answer` with `recorded: false`, or `refuse` with 503. */
  readonly unrecorded: 'answer' | 'refuse';
  /** Milliseconds within which lists, settings and outcomes are answered, or fail with 503; default 4,000. */
  readonly deadlineMs?: number | undefined;
  /** Milliseconds within which the database must take a decision or an action, 10 to 60,000; default 500. */
  readonly recordDeadlineMs?: number | undefined;
}

/** What comes with a request beside its body. */
export interface Asking {
  /** Who sent it. */
  readonly caller: Caller;
  /** The company that it is for. */
  readonly companyId: number;
  /** Idempotency key: a retry gets the same answer, and no action is carried out twice. Null: none. */
  readonly key: string | null;
  /** Aborts when the client has disconnected. */
  readonly signal?: AbortSignal | undefined;
}

/** Companies whose latest request is kept, and up to how many bytes each. */
const KEPT = 200;
const LARGEST_KEPT = 256 * 1024;
/** Events of one decision: five for each of 500 shipments. */
const MOST_EVENTS = 2500;
/** Seconds: the longest horizon that a request may have. */
const LONGEST_HORIZON = 86_400;
/** Milliseconds for one write to the record, and to look for an earlier answer under the same key. */
const RECORD_MS = 500;
/** Milliseconds: a thread explains one request at a time, and others wait. */
const LONGEST_DEADLINE_MS = 1000;

/** Answers requests of all companies. Close it when done. */
export class Service {
  /** Computes recommendations. */
  readonly recommender: Recommender;
  /** Runs long computations on other threads. */
  readonly background: Background;
  /** Connections for everything but recording decisions and actions. */
  readonly pool: DeadlinePool;
  /** Stops actions. */
  readonly killSwitch: KillSwitch;
  readonly #options: ServiceOptions;
  readonly #log: DecisionLog;
  readonly #recorder: Recorder;
  readonly #acts: Acts;
  readonly #last = new Map<number, LastAsked>();

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.recommender = options.recommender;
    this.background = new Background(options.recommender);
    this.pool = new DeadlinePool(options.database, { max: 6, deadlineMs: options.deadlineMs ?? 4000 });
    this.killSwitch = new KillSwitch(options.database);
    const { recordDeadlineMs = RECORD_MS } = options;
    this.#log = new DecisionLog(options.database, { deadlineMs: recordDeadlineMs });
    this.#recorder = new Recorder(options.database, { deadlineMs: recordDeadlineMs });
    this.#acts = new Acts({ ...options, recorder: this.#recorder, pool: this.pool, killSwitch: this.killSwitch });
  }

  /** Ends threads and connections. @param seconds for actions in progress, at most */
  async close(seconds?: number): Promise<void> {
    await this.background.close();
    await this.#log.close();
    await this.#recorder.close(seconds);
    await this.killSwitch.close();
    await this.pool.end(1);
  }

  /**
   * Answers a request, records the decision, and in mode `auto` carries it out.
   * @param body a live state, unchecked
   * @throws AdviseError `ERR_REQUEST`; ServeError `ERR_CONFLICT` if the key was used for another request, `ERR_BUSY`; `ERR_UNRECORDED`
   *   if the database does not answer and the mode is `auto`, or the option `unrecorded` is `refuse`
   */
  async recommend(body: unknown, { caller, companyId, key, signal }: Asking): Promise<AnswerWithActs> {
    const at = new Date();
    const askedAt = performance.timeOrigin + performance.now();
    const request = bounded(checkRequest(body));
    const id = uuid();
    const packed = pack(request);
    const stateHash = sha256(packed);
    if (key !== null) {
      const earlier = await this.#earlier(key, stateHash, caller, companyId, request.mode);
      if (earlier !== null) return earlier;
    }
    const context = { decisionId: id, stateHash, askedAt };
    const answer = await this.background.recommend(request, context, { packed, signal, by: nameOf(caller) });
    const { provenance } = answer;
    if (provenance.fallback !== null) {
      debug('decision %s: fallback to %s, %s', id, provenance.fallback.policy, provenance.fallback.reason);
    }
    try {
      await this.#log.record({
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
        answer: deflateRawSync(pack(answer), { level: 1 }),
      });
    } catch (cause) {
      this.#mayAnswerUnrecorded(answer.mode, cause);
      return { ...answer, provenance: { ...answer.provenance, recorded: false } };
    }
    const whole =
      answer.mode === 'auto' ? await this.#act(answer, { companyId, at, askedAt, by: caller.subject }) : answer;
    if (packed.length <= LARGEST_KEPT) this.#keep(companyId, { request, answer: whole, at, outcomes: [] });
    return whole;
  }

  async #act(
    answer: Answer,
    { askedAt, ...decision }: { companyId: number; at: Date; askedAt: number; by: string },
  ): Promise<AnswerWithActs> {
    const took = performance.timeOrigin + performance.now() - askedAt;
    let recorded;
    try {
      recorded = await this.pool.ask((sql) => recordedAt(sql, answer.provenance.decision_id));
    } catch (cause) {
      if (!(cause instanceof AuditError)) throw cause;
      throw new ServeError('ERR_UNRECORDED', 'the database does not answer any more: no action was started', { cause });
    }
    const since = new Date(recorded.getTime() - Math.ceil(took));
    return { ...answer, acts: await this.#acts.all({ ...decision, answer, since }, false) };
  }

  /** The earlier answer under this key, if there is one. Actions that it does not report are tried again, and happen at most once. */
  async #earlier(
    key: string,
    stateHash: string,
    caller: Caller,
    companyId: number,
    mode: Answer['mode'] = 'recommend',
  ): Promise<AnswerWithActs | null> {
    let found;
    try {
      found = await this.pool.ask(
        (sql) => findDecision(sql, companyId, key),
        this.#options.recordDeadlineMs ?? RECORD_MS,
      );
    } catch (cause) {
      // The earlier answer is unknown: it is computed again, which gives the same one, and flagged as not recorded.
      this.#mayAnswerUnrecorded(mode, cause);
      return null;
    }
    if (found === null) return null;
    if (found.stateHash !== stateHash) {
      throw new ServeError('ERR_CONFLICT', `the idempotency key belongs to another request, decision ${found.id}`);
    }
    const answer = answerOf(found.answer);
    if (answer.mode !== 'auto') return answer;
    const known = actsOf(found);
    const acting = { companyId, answer, at: found.createdAt, since: askedFor(found), by: caller.subject };
    return { ...answer, acts: known ?? (await this.#acts.all(acting, true)) };
  }

  /** @throws `cause`, or ServeError `ERR_UNRECORDED` if the database does not answer and the request must be recorded */
  #mayAnswerUnrecorded(mode: Answer['mode'], cause: unknown): void {
    // Other errors, such as an unknown company, say nothing about the database.
    if (!isUnreachable(cause)) throw cause;
    debug('mode %s, not recorded: %s', mode, (cause as Error).message);
    if (mode === 'auto') {
      throw new ServeError(
        'ERR_UNRECORDED',
        'the database does not answer, so the decision is not recorded: no action was started',
        { cause },
      );
    }
    if (this.#options.unrecorded === 'refuse') {
      throw new ServeError(
        'ERR_UNRECORDED',
        'the database does not answer, and the service is configured to answer nothing unrecorded',
        {
          cause,
        },
      );
    }
  }

  #keep(companyId: number, last: LastAsked): void {
    this.#last.delete(companyId);
    this.#last.set(companyId, last);
    if (this.#last.size <= KEPT) return;
    for (const oldest of this.#last.keys()) {
      this.#last.delete(oldest);
      return;
    }
  }

  /** Updates the dashboard's view: the outcome, and the action that it approved. */
  #keepOutcome(companyId: number, decisionId: string, told: ToldOutcome, act?: ActResult): void {
    const last = this.#last.get(companyId);
    if (last?.answer.provenance.decision_id !== decisionId) return;
    const acts = last.answer.acts?.map((one) => (one.shipment === act?.shipment ? act : one));
    this.#last.set(companyId, {
      ...last,
      answer: acts === undefined ? last.answer : { ...last.answer, acts },
      outcomes: [...last.outcomes.filter(({ shipment }) => shipment !== told.shipment), told],
    });
  }

  /** Where actions are delivered. */
  get connector(): { readonly name: string; readonly dryRun: boolean } {
    const { name, dryRun } = this.#options.connector;
    return { name, dryRun };
  }

  /** The latest request of a company since the service started; null before the first. */
  last(companyId: number): LastAsked | null {
    return this.#last.get(companyId) ?? null;
  }

  /** Reads a decision. @param companyId of another company it is not found @throws AuditError `ERR_NOT_FOUND` */
  async decision(id: string, companyId: number | undefined): Promise<Sent<Decision>> {
    const { request, answer, events, ...row } = await this.pool.ask((sql) => readDecision(sql, id, companyId));
    return { ...snake(row), events, request: unpack(request) as RecommendRequest, answer: answerOf(answer) };
  }

  /** Lists decisions, newest first. @param before only those before this id */
  async decisions(
    companyId: number | undefined,
    limit: number,
    before: string | undefined,
  ): Promise<Sent<Decisions['decisions']>> {
    return snake(await this.pool.ask((sql) => listDecisions(sql, { companyId, limit, before })));
  }

  /**
   * Computes a decision again from what was stored.
   * @throws AuditError `ERR_NOT_FOUND`; ServeError `ERR_CONFLICT` if policy, version or scenario are not served any more
   */
  async replay(
    id: string,
    companyId: number | undefined,
    way?: Way,
  ): Promise<{ same: boolean; sha256: string; answer: Answer }> {
    const { row, request, answer } = await this.#stored(id, companyId);
    const { policy, policy_hash: hash, version } = answer.provenance;
    const served = this.recommender.policies.all.find((one) => one.name === policy);
    if (served?.hash !== hash || version !== this.recommender.version) {
      throw new ServeError(
        'ERR_CONFLICT',
        `the decision was made by policy "${policy}" with hash ${hash} on version ${version}: serve these to compute it again`,
      );
    }
    const replay: Replay = answer.provenance;
    const context = { decisionId: id, stateHash: row.stateHash, replay };
    const again = await this.background.recommend({ ...request, policy }, context, way);
    if (again.provenance.world_hash !== answer.provenance.world_hash) {
      throw new ServeError(
        'ERR_CONFLICT',
        'the decision was made in another scenario: serve with the --scenario of that time to compute it again',
      );
    }
    const text = JSON.stringify(again);
    return { same: text === JSON.stringify(answer), sha256: sha256(text), answer: again };
  }

  async #stored(
    id: string,
    companyId: number | undefined,
  ): Promise<{ row: DecisionDetail; request: RecommendRequest; answer: Answer }> {
    const row = await this.pool.ask((sql) => readDecision(sql, id, companyId));
    return {
      row,
      request: unpack(row.request) as RecommendRequest,
      answer: answerOf(row.answer),
    };
  }

  /**
   * What a person made of a recommendation. Accepting what `auto` could not do without approval does it. Another vehicle is
   * looked at as in `analyze`; what it breaks goes on record with the reason.
   * @throws AuditError `ERR_NOT_FOUND`; ServeError `ERR_REQUEST` for a shipment that the decision does not know, `ERR_CONFLICT`
   *   for an approval that comes too late
   */
  async outcome(
    id: string,
    outcome: Outcome,
    caller: Caller,
    company: number | undefined,
    way?: Way,
  ): Promise<RecordedOutcome> {
    const { row, request, answer } = await this.#stored(id, company);
    const breaks = await this.#breaksOf(outcome, request, way);
    const assignment = checkOutcome(outcome, request, answer, breaks);
    const { companyId } = row;
    const by = caller.subject;
    const acting = { companyId, answer, at: row.createdAt, since: askedFor(row), by };
    const approves = outcome.outcome === 'accepted' && awaitsApproval(row, outcome.shipment);
    if (approves) await this.#checkApprover(row, by);
    if (approves) await this.#acts.checkApprovable(acting, outcome.shipment);
    const detail = {
      ...outcome,
      recommended: assignment?.vehicle ?? null,
      ...(breaks.length === 0 ? {} : { breaks }),
    };
    // The same outcome from the same account is recorded once.
    const said = row.events.some(
      (one) => one.kind === 'outcome' && one.by === by && isDeepStrictEqual(one.detail, detail),
    );
    if (!said) {
      if (row.events.length >= MOST_EVENTS) {
        throw new ServeError('ERR_CONFLICT', `the decision has ${MOST_EVENTS} events, which is the limit`);
      }
      await this.pool.once((sql) => addDecisionEvent(sql, { id, companyId }, { kind: 'outcome', by, detail }));
    }
    const told = { ...detail, by };
    this.#keepOutcome(companyId, id, told);
    // Accepting needs an assignment, which `checkOutcome` has seen to.
    if (!approves || assignment === undefined) return { decision_id: id, ...told };
    const act = await this.#acts.approved(acting, assignment);
    this.#keepOutcome(companyId, id, told, act);
    return { decision_id: id, ...told, act };
  }

  /** @throws ServeError `ERR_FORBIDDEN` */
  async #checkApprover({ companyId, requestedBy }: DecisionDetail, by: string): Promise<void> {
    if (requestedBy !== by || (await this.pool.ask((sql) => allowsOwnApproval(sql, companyId)))) return;
    throw new ServeError(
      'ERR_FORBIDDEN',
      `${by} requested this action and may not approve it: use another account, or let an admin set own_approval for company ${companyId}`,
    );
  }

  /** Constraints that the vehicle chosen instead breaks, as if it were given this shipment alone. */
  async #breaksOf(
    { shipment, outcome, vehicle }: Outcome,
    request: RecommendRequest,
    way: Way | undefined,
  ): Promise<AnalyzedPair['breaks']> {
    if (outcome !== 'overridden' || vehicle === undefined) return [];
    const { policy, ...rest } = request;
    // Only the policy's rules matter here. If it is not served any more, those of the default.
    const known = policy !== undefined && this.recommender.policies.all.some(({ name }) => name === policy);
    const pairs = await this.#candidates({ ...rest, ...(known ? { policy } : {}) }, shipment, way);
    return pairs.find((pair) => pair.vehicle === vehicle)?.breaks ?? [];
  }

  /** With the longest horizon, as a person may plan a shipment of the far future now. */
  #candidates(request: RecommendRequest, shipment: Id, way?: Way): Promise<AnalyzedPair[]> {
    const options = { ...request.options, horizon: LONGEST_HORIZON };
    return this.background.candidates({ ...request, options, explain: false }, shipment, way);
  }

  /** The answer of an example state: it is neither recorded nor shown as a company's latest request. */
  async example(state: object): Promise<Answer> {
    const request = bounded(checkRequest(state));
    const packed = pack(request);
    const context = { decisionId: 'example', stateHash: sha256(packed) };
    const answer = await this.background.recommend(request, context, { packed });
    return { ...answer, provenance: { ...answer.provenance, recorded: false } };
  }

  /** Scores a plan beside the policy's own; with `candidates_for` also each vehicle for that shipment. @throws as `recommend` */
  async analyze(body: unknown, way?: Way): Promise<Analysis & { readonly candidates?: readonly AnalyzedPair[] }> {
    const { plan, candidates_for: shipment, ...rest } = body as { plan: PlannedPair[]; candidates_for?: Id };
    // Without explanations, which the answer does not contain; the time is bounded as in `recommend`.
    const request = { ...bounded(checkRequest(rest)), explain: false };
    const analysis = await this.background.analyze(request, plan, way);
    if (shipment === undefined) return analysis;
    return { ...analysis, candidates: await this.#candidates(request, shipment, way) };
  }
}

/**
 * Checks whether an outcome fits its decision.
 * @returns what was recommended for the shipment
 * @throws ServeError `ERR_REQUEST`
 */
function checkOutcome(
  { shipment, outcome, vehicle, reason = '' }: Outcome,
  request: RecommendRequest,
  answer: Answer,
  breaks: AnalyzedPair['breaks'],
): Answer['assignments'][number] | undefined {
  const assignment = answer.assignments.find((one) => one.shipment === shipment);
  const lots = [answer.assignments, answer.waiting, answer.unassigned];
  if (!lots.some((list) => list.some((one) => one.shipment === shipment))) {
    throw badField('shipment', `is ${shownJson(shipment)}: the decision does not contain this shipment`);
  }
  if (vehicle !== undefined && !request.vehicles.some(({ id }) => id === vehicle)) {
    throw badField('vehicle', `is ${shownJson(vehicle)}: the decision does not contain this vehicle`);
  }
  if (outcome === 'accepted') {
    if (assignment === undefined) {
      throw badField('outcome', 'is accepted: no vehicle was recommended for this shipment, so expected overridden');
    }
    if (vehicle !== undefined && vehicle !== assignment.vehicle) {
      throw badField(
        'vehicle',
        `is ${vehicle}, but ${assignment.vehicle} was recommended: to choose another vehicle, set outcome to overridden`,
      );
    }
  } else {
    if (reason.trim() === '') {
      throw badField(
        'reason',
        breaks.length === 0
          ? 'is missing: say why the recommendation was overridden'
          : `is missing: vehicle ${shownJson(vehicle)} breaks ${breaks.join(', ')}; say why it drives all the same`,
      );
    }
    if (assignment !== undefined && vehicle === assignment.vehicle) {
      throw badField('vehicle', `is ${vehicle}, which was recommended: set outcome to accepted, or leave vehicle out`);
    }
  }
  return assignment;
}

/** When a decision was requested: the time in its id (UUIDv7), but not after it was recorded, as the two clocks may differ. */
function askedFor({ id, createdAt }: DecisionDetail): Date {
  const asked = parseInt(id.replace('-', '').slice(0, 12), 16);
  return new Date(Math.min(createdAt.getTime(), asked));
}

function actsOf({ events }: DecisionDetail): readonly ActResult[] | undefined {
  return events.find(({ kind }) => kind === 'acts')?.detail as readonly ActResult[] | undefined;
}

/** Whether the action was refused only because it needs a person's approval. */
function awaitsApproval(row: DecisionDetail, shipment: Id): boolean {
  return actsOf(row)?.find((act) => act.shipment === shipment)?.refusal?.reason === 'approval';
}

/** The account whose share of the threads a request uses. */
function nameOf({ companyId, subject }: Caller): string {
  return `${String(companyId)}/${subject}`;
}

function bounded(request: RecommendRequest): RecommendRequest {
  const { deadline_ms: deadline = 0 } = request;
  return deadline > LONGEST_DEADLINE_MS ? { ...request, deadline_ms: LONGEST_DEADLINE_MS } : request;
}

function answerOf(stored: Uint8Array): Answer {
  return unpack(inflateRawSync(stored)) as Answer;
}
