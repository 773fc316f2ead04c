// What the service does for one caller, whoever carries the messages: recommend, put on record, act within limits, and
// tell later what was decided and why.

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
import { ServeError } from './errors.js';
import { KillSwitch } from './kill-switch.js';
import { show } from '../advise/schema.js';
import type { Id } from '../advise/rules.js';
import type { Decision, Decisions, Outcome, RecordedOutcome, ToldOutcome } from './other-schemas.js';
import type { Sent } from './routes.js';
import { snake } from './snake.js';

/** The last thing that a company asked, for its dashboard. */
export interface LastAsked {
  readonly request: RecommendRequest;
  readonly answer: AnswerWithActs;
  readonly at: Date;
  /** What people made of it since, the last word on each shipment. */
  readonly outcomes: readonly ToldOutcome[];
}

export interface ServiceOptions extends Omit<ActsOptions, 'recorder' | 'pool' | 'killSwitch'> {
  readonly recommender: Recommender;
  /** Where the record is. */
  readonly database: Database;
  /** What to do where the database is gone, in `shadow` and `recommend`: `answer` says that it is not on record. */
  readonly unrecorded: 'answer' | 'refuse';
  /** Milliseconds within which lists, settings and outcomes are answered, or told to come again; default 4,000. */
  readonly deadlineMs?: number | undefined;
  /** Milliseconds within which the database must take a decision or an action, 10 to 60,000; default 500. */
  readonly recordDeadlineMs?: number | undefined;
}

/** Who asks, beside what is asked. */
export interface Asking {
  readonly caller: Caller;
  readonly companyId: number;
  /** Of a caller who may ask again: the same answer then, and nothing done twice. */
  readonly key: string | null;
  /** Aborts when the caller has gone. */
  readonly signal?: AbortSignal | undefined;
}

/** Companies whose last request is kept, and up to how many bytes. */
const KEPT = 200;
const LARGEST_KEPT = 256 * 1024;
/** Of one decision: five for each of as many shipments as a request can have. */
const MOST_EVENTS = 2500;
/** Seconds: the longest that a request may ask for. */
const LONGEST_HORIZON = 86_400;
/** Milliseconds for one write to the record, and to look for an answer that was given before under the same key. */
const RECORD_MS = 500;
/** A thread explains one request at a time, and others wait in line. */
const LONGEST_DEADLINE_MS = 1000;

export class Service {
  readonly recommender: Recommender;
  readonly background: Background;
  /** For all that is read and said beside decisions and acts. */
  readonly pool: DeadlinePool;
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

  /** Leaves threads and record. @param seconds for acts under way, at most */
  async close(seconds?: number): Promise<void> {
    await this.background.close();
    await this.#log.close();
    await this.#recorder.close(seconds);
    await this.killSwitch.close();
    await this.pool.end(1);
  }

  /**
   * @throws ServeError `ERR_REQUEST`; `ERR_CONFLICT` if the key was used for another request; `ERR_UNRECORDED` where the database is gone and the mode is `auto`, or the service is
   *   to refuse then
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
      throw new ServeError('ERR_UNRECORDED', 'the record cannot be reached any more: nothing was done', { cause });
    }
    const since = new Date(recorded.getTime() - Math.ceil(took));
    return { ...answer, acts: await this.#acts.all({ ...decision, answer, since }, false) };
  }

  /** What was answered under this key before; acts that were not told of are asked for once more, and done at most once. */
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
      // Nobody can say what was answered before: it is computed, which gives the same, and flagged as any other then.
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

  /** @throws `cause`, or ServeError `ERR_UNRECORDED` where the record is gone and nothing is answered without it */
  #mayAnswerUnrecorded(mode: Answer['mode'], cause: unknown): void {
    if (!(cause instanceof AuditError)) throw cause;
    // A company that is not known: no matter of the database's health.
    if (cause.code !== 'ERR_DATABASE' && cause.code !== 'ERR_DEADLINE' && cause.code !== 'ERR_NOT_MIGRATED')
      throw cause;
    if (mode === 'auto') {
      throw new ServeError('ERR_UNRECORDED', 'the record cannot be written: nothing was done', { cause });
    }
    if (this.#options.unrecorded === 'refuse') {
      throw new ServeError('ERR_UNRECORDED', 'the record cannot be written, and nothing is answered without it', {
        cause,
      });
    }
  }

  #keep(companyId: number, last: LastAsked): void {
    this.#last.delete(companyId);
    this.#last.set(companyId, last);
    if (this.#last.size > KEPT) this.#last.delete(this.#last.keys().next().value!);
  }

  /** In the dashboard, too, it is seen who said what, and an act that was approved is no longer one that was refused. */
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

  /** Where acts go. */
  get connector(): { readonly name: string; readonly dryRun: boolean } {
    const { name, dryRun } = this.#options.connector;
    return { name, dryRun };
  }

  last(companyId: number): LastAsked | null {
    return this.#last.get(companyId) ?? null;
  }

  /** @throws AuditError `ERR_NOT_FOUND` */
  async decision(id: string, companyId: number | undefined): Promise<Sent<Decision>> {
    const { request, answer, events, ...row } = await this.pool.ask((sql) => readDecision(sql, id, companyId));
    return { ...snake(row), events, request: unpack(request) as RecommendRequest, answer: answerOf(answer) };
  }

  async decisions(
    companyId: number | undefined,
    limit: number,
    before: string | undefined,
  ): Promise<Sent<Decisions['decisions']>> {
    return snake(await this.pool.ask((sql) => listDecisions(sql, { companyId, limit, before })));
  }

  /**
   * Computes a decision again from what was stored.
   * @throws AuditError `ERR_NOT_FOUND`; ServeError `ERR_CONFLICT` if the policy is not here any more
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
        `the decision is of policy "${policy}" with hash ${hash} on version ${version}: serve these to compute it again`,
      );
    }
    const replay: Replay = answer.provenance;
    const context = { decisionId: id, stateHash: row.stateHash, replay };
    const again = await this.background.recommend({ ...request, policy }, context, way);
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
    // Said twice by the same person, it counts once.
    const said = row.events.some(
      (one) => one.kind === 'outcome' && one.by === by && isDeepStrictEqual(one.detail, detail),
    );
    if (!said) {
      if (row.events.length >= MOST_EVENTS) {
        throw new ServeError('ERR_CONFLICT', `the decision has ${MOST_EVENTS} entries already: no more are taken`);
      }
      await this.pool.once((sql) => addDecisionEvent(sql, { id, companyId }, { kind: 'outcome', by, detail }));
    }
    const told = { ...detail, by };
    this.#keepOutcome(companyId, id, told);
    if (!approves) return { decision_id: id, ...told };
    const act = await this.#acts.approved(acting, assignment!);
    this.#keepOutcome(companyId, id, told, act);
    return { decision_id: id, ...told, act };
  }

  /** @throws ServeError `ERR_FORBIDDEN` */
  async #checkApprover({ companyId, requestedBy }: DecisionDetail, by: string): Promise<void> {
    if (requestedBy !== by || (await this.pool.ask((sql) => allowsOwnApproval(sql, companyId)))) return;
    throw new ServeError(
      'ERR_FORBIDDEN',
      `${by} has asked for this act, and may not approve it: another account does, or an admin allows it for company ${companyId} (setting own_approval)`,
    );
  }

  /** What the vehicle that drives it instead breaks, were it given this shipment alone. */
  async #breaksOf(
    { shipment, outcome, vehicle }: Outcome,
    request: RecommendRequest,
    way: Way | undefined,
  ): Promise<AnalyzedPair['breaks']> {
    if (outcome !== 'overridden' || vehicle === undefined) return [];
    const { policy, ...rest } = request;
    // Only its rules matter here: those of the default, where it is not served any more.
    const known = policy !== undefined && this.recommender.policies.all.some(({ name }) => name === policy);
    const pairs = await this.#candidates({ ...rest, ...(known ? { policy } : {}) }, shipment, way);
    return pairs.find((pair) => pair.vehicle === vehicle)?.breaks ?? [];
  }

  /** Also of a shipment whose time is far: a person plans it now. */
  #candidates(request: RecommendRequest, shipment: Id, way?: Way): Promise<AnalyzedPair[]> {
    const options = { ...request.options, horizon: LONGEST_HORIZON };
    return this.background.candidates({ ...request, options, explain: false }, shipment, way);
  }

  /** An answer to look at, of a state that is nobody's: not on record, and not in anybody's live view. */
  async example(state: object): Promise<Answer> {
    const request = bounded(checkRequest(state));
    const packed = pack(request);
    const context = { decisionId: 'example', stateHash: sha256(packed) };
    const answer = await this.background.recommend(request, context, { packed });
    return { ...answer, provenance: { ...answer.provenance, recorded: false } };
  }

  /** Scores a person's plan beside the policy's; if asked for, also what each vehicle would make of a shipment. */
  async analyze(body: unknown, way?: Way): Promise<Analysis & { readonly candidates?: readonly AnalyzedPair[] }> {
    const { plan, candidates_for: shipment, ...rest } = body as { plan: PlannedPair[]; candidates_for?: Id };
    // Nobody sees the explanation, and the time is bounded as in `recommend`.
    const request = { ...bounded(checkRequest(rest)), explain: false };
    const analysis = await this.background.analyze(request, plan, way);
    if (shipment === undefined) return analysis;
    return { ...analysis, candidates: await this.#candidates(request, shipment, way) };
  }
}

/**
 * Whether an outcome fits its decision.
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
    throw badField('shipment', `is ${show(shipment)}: the decision has no such shipment`);
  }
  if (vehicle !== undefined && !request.vehicles.some(({ id }) => id === vehicle)) {
    throw badField('vehicle', `is ${show(vehicle)}: the decision has no such vehicle`);
  }
  if (outcome === 'accepted') {
    if (assignment === undefined) {
      throw badField('outcome', 'is accepted: the shipment was not assigned, so it can only be overridden');
    }
    if (vehicle !== undefined && vehicle !== assignment.vehicle) {
      throw badField('vehicle', `is ${vehicle}: recommended was ${assignment.vehicle}; another one is overridden`);
    }
  } else {
    if (reason.trim() === '') {
      throw badField(
        'reason',
        breaks.length === 0
          ? 'is missing: say why the recommendation was overridden'
          : `is missing: vehicle ${vehicle!} breaks ${breaks.join(', ')}, say why it drives all the same`,
      );
    }
    if (assignment !== undefined && vehicle === assignment.vehicle) {
      throw badField('vehicle', `is ${vehicle}, which was recommended: accept it, or leave vehicle out`);
    }
  }
  return assignment;
}

/** When a decision was asked for, which its id (UUIDv7) says; and as ids are of the clock of whoever made them, not after it was recorded. */
function askedFor({ id, createdAt }: DecisionDetail): Date {
  const asked = parseInt(id.replace('-', '').slice(0, 12), 16);
  return new Date(Math.min(createdAt.getTime(), asked));
}

function actsOf({ events }: DecisionDetail): readonly ActResult[] | undefined {
  return events.find(({ kind }) => kind === 'acts')?.detail as readonly ActResult[] | undefined;
}

/** Whether `auto` would have done it with a person's approval. */
function awaitsApproval(row: DecisionDetail, shipment: Id): boolean {
  return actsOf(row)?.find((act) => act.shipment === shipment)?.refusal?.reason === 'approval';
}

/** Whose share of the threads it is. */
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
