// The service over real HTTP: answers and their record, outcomes, replay, administration, limits, faults and loads.

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { connect as openSocket } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verify } from '#audit/index.js';
import { actedAnswerProps } from '#serve/act-schema.js';
import { LARGE_BODY } from '#serve/body-limits.js';
import { WebhookConnector } from '#serve/index.js';
import { constraints, documentedRequest } from '#advise/index.js';
import type { RecommendRequest, ShipmentInput } from '#advise/index.js';
import { compile } from '#advise/schema.js';
import type { Props, Rule } from '#advise/rules.js';
import { reachableFolder, slowProxy } from './support/database.js';
import { callService, easyRequest, testService } from './support/service.js';
import type { Reply, TestService } from './support/service.js';

let service: TestService;

beforeAll(async () => {
  service = await testService();
});

afterAll(async () => {
  await service.close();
});

async function count(table: string): Promise<number> {
  const [{ n }] = await service.owner.unsafe<{ n: number }[]>(`select count(*) as n from ${table}`);
  return n;
}

/** Until the service knows that all its clients have gone. */
async function nothingInFlight({ url }: TestService): Promise<void> {
  for (;;) {
    const { body } = await callService(url, 'GET', '/metrics');
    if (/^fleetstep_http_in_flight 0$/m.test(body as string)) return;
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Without what differs from one asking to the next. */
function decided(body: Record<string, unknown>): string {
  const { provenance, ...rest } = body as { provenance: Record<string, unknown> };
  return JSON.stringify({ ...rest, provenance: { ...provenance, decision_id: '' } });
}

describe('POST /v1/recommend', () => {
  it('answers and puts every answer on record: as many rows as answers', async () => {
    const before = await count('decision');
    // However busy the machine is: none gives way to a rule for want of time.
    const request = { ...easyRequest(service.company), deadline_ms: 60_000 };
    const replies = await Promise.all(
      Array.from({ length: 300 }, () => service.call('POST', '/v1/recommend', request)),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await count('decision')).toBe(before + 300);
    // The same request, the same answer.
    expect(new Set(replies.map(({ body }) => decided(body as Record<string, unknown>))).size).toBe(1);
    const [{ body }] = replies;
    expect(body.assignments).toHaveLength(3);
    expect(body.assignments[0]).toMatchObject({ rank: 1, lateness: 0, confidence: null });
    expect(body.provenance).toMatchObject({ policy: 'planner', fallback: null, recorded: true });
  });

  it('can be replayed from the record, byte for byte, also with explanations', async () => {
    for (const explain of [false, true]) {
      const { body } = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), explain });
      const id = body.provenance.decision_id as string;
      const stored = await service.call('GET', `/v1/decisions/${id}`);
      expect(JSON.stringify(stored.body.answer)).toBe(JSON.stringify(body));
      expect(stored.body).toMatchObject({
        id,
        company_id: service.company.id,
        requested_by: 'tester',
        mode: 'recommend',
      });
      const replay = await service.call('GET', `/v1/decisions/${id}/replay`);
      expect(replay.body).toMatchObject({ same: true });
      expect(JSON.stringify(replay.body.answer)).toBe(JSON.stringify(body));
      if (explain) expect(body.assignments[0].what_if.candidates.length).toBeGreaterThan(1);
    }
  });

  it('names field, value and remedy of what is wrong, and answers all but what is wrong', async () => {
    const request = easyRequest(service.company);
    const wrong = await service.call('POST', '/v1/recommend', { ...request, vehicles: [{ id: 1, start: [1, 99] }] });
    expect(wrong).toMatchObject({
      status: 400,
      body: { error: { code: 'ERR_REQUEST', path: 'vehicles[0].start[1]' } },
    });
    expect(wrong.body.error.message).toMatch(/is 99: it must be less than or equal to 85/);
    const shipments = [...(request['shipments'] as object[]), { id: 'x', pickup: {}, delivery: {} }, null];
    const { status, body } = await service.call('POST', '/v1/recommend', { ...request, shipments });
    expect([status, body.assignments.length]).toEqual([200, 3]);
    expect(body.violations.map(({ shipment, path }: { shipment: unknown; path: string }) => [shipment, path])).toEqual([
      ['x', 'shipments[3].pickup.location'],
      [null, 'shipments[4]'],
    ]);
    for (const [text, message] of [
      ['{"as_of": ', /not valid JSON/],
      ['', /empty|not valid JSON/],
      ['[]', /expected an object/],
      ['{"__proto__": {"x": 1}}', /not valid JSON|not allowed|forbidden/],
    ] as const) {
      const bad = await service.call('POST', '/v1/recommend', text);
      expect([bad.status, bad.body.error.message], text).toEqual([400, expect.stringMatching(message)]);
    }
    const large = await service.call('POST', '/v1/recommend', `{"x": "${'x'.repeat(LARGE_BODY)}"}`);
    expect([large.status, large.body.error.message]).toEqual([
      413,
      'the body is too large: the limit of this address is 32 MiB; a table of 1,200 places with durations and distances fits; send fewer places, fewer tables by time, or whole numbers',
    ]);
    const small = await service.call('POST', `/v1/decisions/x/outcome`, `{"x": "${'x'.repeat(65 * 1024)}"}`);
    expect([small.status, small.body.error.message]).toEqual([
      413,
      'the body is too large: the limit of this address is 64 KiB; send less in one request',
    ]);
  });
});

describe('outcomes and analysis', () => {
  it('keep what people made of a recommendation, and refuse what does not fit', async () => {
    const { body } = await service.call('POST', '/v1/recommend', easyRequest(service.company));
    const id = body.provenance.decision_id as string;
    const [first, second] = body.assignments as { shipment: number; vehicle: number }[];
    const say = (outcome: object): Promise<Reply> => service.call('POST', `/v1/decisions/${id}/outcome`, outcome);
    expect((await say({ shipment: first.shipment, outcome: 'accepted' })).status).toBe(200);
    for (const [outcome, path] of [
      [{ shipment: second.shipment, outcome: 'overridden' }, 'reason'],
      [{ shipment: 999, outcome: 'accepted' }, 'shipment'],
      [{ shipment: second.shipment, outcome: 'overridden', vehicle: 999, reason: 'x' }, 'vehicle'],
      [{ shipment: second.shipment, outcome: 'overridden', reason: 'x'.repeat(1001) }, 'reason'],
      [{ shipment: second.shipment, outcome: 'maybe' }, 'outcome'],
      [{ shipment: second.shipment, outcome: 'accepted', vehicle: first.vehicle }, 'vehicle'],
      [{ shipment: second.shipment, outcome: 'overridden', vehicle: second.vehicle, reason: 'x' }, 'vehicle'],
    ] as const) {
      expect(await say(outcome)).toMatchObject({ status: 400, body: { error: { path } } });
    }
    const reason = 'the passenger asked for this driver';
    const overridden = { shipment: second.shipment, outcome: 'overridden', vehicle: first.vehicle, reason };
    // Said twice, it counts once.
    for (let k = 0; k < 2; k++) expect((await say(overridden)).status).toBe(200);
    const { events } = (await service.call('GET', `/v1/decisions/${id}`)).body as { events: unknown[] };
    expect(events).toMatchObject([
      { kind: 'outcome', by: 'tester', detail: { shipment: first.shipment, outcome: 'accepted' } },
      {
        kind: 'outcome',
        detail: { shipment: second.shipment, outcome: 'overridden', reason, recommended: second.vehicle },
      },
    ]);
  });

  it('look at who drives it instead, as an analysis does: what he breaks needs a reason, and is on record', async () => {
    const request = easyRequest(service.company);
    const { drivers, bookings } = service.company;
    const [a, b, c] = request['vehicles'] as object[];
    const [x, ...others] = request['shipments'] as object[];
    const state = {
      ...request,
      vehicles: [{ ...a, skills: ['wheelchair'] }, b, { ...c, status: 'offline' }],
      shipments: [{ ...x, skills: ['wheelchair'] }, ...others],
    };
    const { body } = await service.call('POST', '/v1/recommend', state);
    const path = `/v1/decisions/${body.provenance.decision_id as string}/outcome`;
    const say = (vehicle: number, reason: string): Promise<Reply> =>
      service.call('POST', path, { shipment: bookings[0], outcome: 'overridden', vehicle, reason });
    const silent = await say(drivers[1], ' ');
    expect([silent.status, silent.body.error.message]).toEqual([
      400,
      `reason is missing: vehicle ${drivers[1]} breaks skills; say why it drives all the same`,
    ]);
    expect((await say(drivers[1], 'a companion lifts him')).body.breaks).toEqual(['skills']);
    expect((await say(drivers[2], 'he starts early')).body.breaks).toEqual(['skills', 'status']);
    const { events } = (await service.call('GET', path.replace('/outcome', ''))).body as {
      events: { detail: { breaks?: string[]; reason: string } }[];
    };
    expect(events.map(({ detail }) => [detail.reason, detail.breaks])).toEqual([
      ['a companion lifts him', ['skills']],
      ['he starts early', ['skills', 'status']],
    ]);
    const { body: analysis } = await service.call('POST', '/v1/analyze', {
      ...state,
      plan: [],
      candidates_for: bookings[0],
    });
    expect(
      analysis.candidates.map(({ vehicle, breaks }: { vehicle: number; breaks: string[] }) => [vehicle, breaks]),
    ).toEqual([
      [drivers[0], []],
      [drivers[1], ['skills']],
      [drivers[2], ['skills', 'status']],
    ]);
  });

  it('score a person’s plan beside the policy’s, with what it breaks', async () => {
    const request = easyRequest(service.company);
    const { drivers, bookings } = service.company;
    const plan = [
      { vehicle: drivers[2], shipment: bookings[0] },
      { vehicle: drivers[0], shipment: bookings[1] },
      { vehicle: 77_777, shipment: bookings[2] },
    ];
    const { status, body } = await service.call('POST', '/v1/analyze', { ...request, plan });
    expect(status).toBe(200);
    expect(body.plan.map(({ breaks }: { breaks: string[] }) => breaks)).toEqual([[], [], ['unknown']]);
    expect(body.totals).toMatchObject({ assigned: 2, left_open: 1 });
    expect(body.policy).toMatchObject({ name: 'planner', totals: { assigned: 3, left_open: 0 } });
    expect(body.totals.approach_distance).toBeGreaterThan(body.policy.totals.approach_distance as number);
    const late = { ...request, options: { late_tolerance: 0 }, as_of: (request['as_of'] as number) + 1790, plan };
    expect((await service.call('POST', '/v1/analyze', late)).body.plan[0].breaks).toEqual(['window']);
  });
});

describe('mode auto', () => {
  interface Taken {
    readonly headers: IncomingHttpHeaders;
    readonly body: string;
  }

  const pairOf = ({ shipment, vehicle }: { shipment: number; vehicle: number }): object => ({ shipment, vehicle });

  /** A receiver that answers with `codes` in turn, then 200, each after `ms`. */
  async function receiver(
    codes: number[] = [],
    ms = 0,
  ): Promise<{ url: string; taken: Taken[]; close: () => Promise<void> }> {
    const taken: Taken[] = [];
    const server = createHttp((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        taken.push({ headers: request.headers, body });
        response.statusCode = codes.shift() ?? 200;
        setTimeout(() => response.end(), ms);
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}/acts`,
      taken,
      close: () => new Promise((done) => void server.close(() => done())),
    };
  }

  const secret = 'a secret of the receiver';

  it('acts through the recorder: signed, again after a failure, each act on record once', async () => {
    const target = await receiver([500, 503]);
    const acting = await testService({
      made: service.made,
      connector: new WebhookConnector({ url: target.url, secret, backoffMs: 5 }),
    });
    const request = { ...easyRequest(acting.company), mode: 'auto' };
    const { status, body } = await acting.call('POST', '/v1/recommend', request);
    expect(status).toBe(200);
    expect(body.acts.map(({ status: one }: { status: string }) => one)).toEqual([
      'succeeded',
      'succeeded',
      'succeeded',
    ]);
    // Three acts, of which the first needed three tries under one id.
    expect(target.taken).toHaveLength(5);
    expect(new Set(target.taken.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
    for (const { headers, body: text } of target.taken) {
      const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`;
      const signature = createHmac('sha256', secret).update(signed).digest('base64');
      expect(headers['webhook-signature']).toBe(`v1,${signature}`);
      const { provenance } = body;
      expect(JSON.parse(text)).toMatchObject({
        type: 'assign',
        company_id: acting.company.id,
        data: { decision_id: provenance.decision_id, lateness: 0 },
      });
    }
    const admin = await acting.token({ role: 'admin' });
    const { actions } = (await acting.call('GET', '/api/admin/autonomous-actions', undefined, admin)).body as {
      actions: { action_data: { decision_id: string }; status: string }[];
    };
    expect(actions).toHaveLength(3);
    expect(new Set(actions.map(({ action_data: data }) => data.decision_id))).toEqual(
      new Set([body.provenance.decision_id]),
    );
    expect(await verify(acting.made.database)).toMatchObject({ ok: true });

    // The kill switch: nothing more, and that is on record, too.
    const stop = await acting.call('POST', '/api/admin/autonomy/kill-switch', { stopped: true }, admin);
    expect(stop.body.settings.stopped).toBe(true);
    const refused = await acting.call('POST', '/v1/recommend', request);
    expect(refused.body.acts.map(({ refusal }: { refusal: { reason: string } }) => refusal.reason)).toEqual([
      'kill_switch',
      'kill_switch',
      'kill_switch',
    ]);
    expect(target.taken).toHaveLength(5);

    // Limits: two an hour leave room for none, as three have been done.
    await acting.call('POST', '/api/admin/autonomy/kill-switch', { stopped: false }, admin);
    const limits = [{ scope: 'assign', per: 'hour', kind: 'window', capacity: 4 }];
    const put = await acting.call('PUT', '/api/admin/autonomy/limits', { limits }, admin);
    expect(put.body.limits).toContainEqual(expect.objectContaining({ ...limits[0], left: 1 }));
    const limited = await acting.call('POST', '/v1/recommend', request);
    expect(limited.body.acts.map((act: { status: string }) => act.status)).toEqual(['succeeded', 'refused', 'refused']);
    expect(target.taken).toHaveLength(6);
    await acting.close();
    await target.close();
  });

  it('does nothing twice under one Idempotency-Key, and answers the same', async () => {
    const target = await receiver();
    const acting = await testService({
      made: service.made,
      connector: new WebhookConnector({ url: target.url, secret, backoffMs: 2 }),
    });
    const token = await acting.token();
    const ask = async (key: string, body: object): Promise<Reply> => {
      const response = await fetch(`${acting.url}/v1/recommend`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify(body),
      });
      return { status: response.status, headers: response.headers, body: await response.json() };
    };
    const request = { ...easyRequest(acting.company), mode: 'auto' };
    const first = await ask('k1', request);
    expect(target.taken).toHaveLength(3);
    expect(await ask('k1', request)).toMatchObject({ status: 200, body: first.body });
    expect(target.taken).toHaveLength(3);
    expect((await ask('k1', { ...request, seed: 9 })).status).toBe(409);
    expect((await ask('not a key', request)).status).toBe(400);
    // Many at once: one decides, the others are told to ask again, or get the same.
    const many = await Promise.all(Array.from({ length: 8 }, () => ask('k2', request)));
    expect(many.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    expect(many.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(target.taken).toHaveLength(6);
    const again = await ask('k2', request);
    expect(again.body.acts.map(({ status }: { status: string }) => status)).toEqual([
      'succeeded',
      'succeeded',
      'succeeded',
    ]);
    expect(target.taken).toHaveLength(6);
    await acting.close();
    await target.close();
  });

  it('does what a person approves, where the company’s mode asks for that, once and within limits', async () => {
    const target = await receiver();
    const acting = await testService({
      made: service.made,
      connector: new WebhookConnector({ url: target.url, secret, backoffMs: 5 }),
    });
    const admin = await acting.token({ role: 'admin' });
    const autonomy = (body: object): Promise<Reply> => acting.call('PUT', '/api/admin/autonomy', body, admin);
    await autonomy({ mode: 'SEMI_AUTO', auto_assign: false });
    const { body } = await acting.call('POST', '/v1/recommend', { ...easyRequest(acting.company), mode: 'auto' });
    expect(body.acts.map((act: { refusal: { reason: string } }) => act.refusal.reason)).toEqual(
      Array<string>(3).fill('approval'),
    );
    const id = body.provenance.decision_id as string;
    const person = await acting.token({ subject: 'person' });
    const accept = (shipment: number, token = person): Promise<Reply> =>
      acting.call('POST', `/v1/decisions/${id}/outcome`, { shipment, outcome: 'accepted' }, token);
    const [first, second, third] = body.assignments as { shipment: number; vehicle: number }[];
    // Whoever asked is not whoever approves, unless the company's settings say so.
    const own = await accept(first.shipment, await acting.token());
    expect([own.status, own.body.error.message]).toEqual([
      403,
      expect.stringMatching(/^tester requested this action and may not approve it: use another account/),
    ]);
    for (let k = 0; k < 2; k++) {
      const { status, body: said } = await accept(first.shipment);
      expect([status, said.act]).toMatchObject([200, { ...pairOf(first), status: 'succeeded' }]);
    }
    expect(target.taken).toHaveLength(1);
    const live = (await acting.call('GET', '/v1/live')).body.last.answer.acts as { status: string }[];
    expect(live.map(({ status }) => status)).toEqual(['succeeded', 'refused', 'refused']);
    const [row] = await acting.owner<{ approved_by: string }[]>`
      select approved_by from autonomous_action where company_id = ${acting.company.id} and status = 'succeeded'`;
    expect(row.approved_by).toBe('person');
    // Another decision of the same minutes: what has been assigned is not assigned again.
    const later = await acting.call('POST', '/v1/recommend', { ...easyRequest(acting.company), mode: 'auto' });
    const outcomes = `/v1/decisions/${later.body.provenance.decision_id as string}/outcome`;
    expect(
      (await acting.call('POST', outcomes, { shipment: third.shipment, outcome: 'accepted' }, person)).body.act.status,
    ).toBe('succeeded');
    const twice = await accept(third.shipment);
    expect([twice.status, twice.body.error.message]).toEqual([
      409,
      expect.stringMatching(`shipment ${third.shipment} has been assigned since the decision, by action`),
    ]);
    expect(target.taken).toHaveLength(2);
    // A limit holds for what is approved, too.
    const limits = [{ scope: 'assign', per: 'hour', kind: 'window', capacity: 1 }];
    await acting.call('PUT', '/api/admin/autonomy/limits', { limits }, admin);
    expect((await accept(second.shipment)).body.act).toMatchObject({ status: 'refused', refusal: { reason: 'limit' } });
    // The company's settings may allow who asked to approve, from one moment to the next.
    const alone = await acting.call('POST', '/v1/recommend', { ...easyRequest(acting.company), mode: 'auto' }, person);
    const ownOutcome = `/v1/decisions/${alone.body.provenance.decision_id as string}/outcome`;
    const accepted = { shipment: second.shipment, outcome: 'accepted' };
    for (const [own, status, reason] of [
      [false, 403, undefined],
      [true, 200, 'limit'],
    ] as const) {
      const set = await acting.call('PUT', '/api/admin/autonomy', { own_approval: own }, admin);
      expect([set.status, set.body.settings.own_approval]).toEqual([200, own]);
      const told = await acting.call('POST', ownOutcome, accepted, person);
      expect([told.status, told.body.act?.refusal?.reason]).toEqual([status, reason]);
    }
    // Overriding acts in no mode.
    const other = { shipment: third.shipment, outcome: 'overridden', vehicle: second.vehicle, reason: 'x' };
    expect((await acting.call('POST', `/v1/decisions/${id}/outcome`, other)).body.act).toBeUndefined();
    expect(await verify(acting.made.database)).toMatchObject({ ok: true });
    // After a few minutes the state has moved on.
    await acting.owner`alter table decision disable trigger decision_append_only`;
    await acting.owner`update decision set created_at = created_at - interval '6 minutes' where id = ${id}`;
    await acting.owner`alter table decision enable trigger decision_append_only`;
    const late = await accept(second.shipment);
    expect([late.status, late.body.error.message]).toEqual([
      409,
      'the decision is 6 min old: request a new recommendation, and approve it within 5 min',
    ]);
    expect(target.taken).toHaveLength(2);
    // Who sets back a decision's time is found out.
    expect(await verify(acting.made.database)).toMatchObject({ ok: false, reason: 'were edited' });
    await acting.close();
    await target.close();
  });

  it('begins nothing when the state has grown old, also where it is asked again', async () => {
    const target = await receiver([], 1200);
    const acting = await testService({
      made: service.made,
      actWithinMs: 1000,
      connector: new WebhookConnector({ url: target.url, secret }),
    });
    const token = await acting.token();
    const ask = async (): Promise<{ acts: { status: string; message?: string }[] }> => {
      const response = await fetch(`${acting.url}/v1/recommend`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': 'slow' },
        body: JSON.stringify({ ...easyRequest(acting.company), mode: 'auto' }),
      });
      return (await response.json()) as { acts: { status: string; message?: string }[] };
    };
    const first = await ask();
    expect(first.acts.map(({ status }) => status)).toEqual(['succeeded', 'refused', 'refused']);
    expect(first.acts[1].message).toMatch(/^not started within 1 s of the decision: request a new recommendation/);
    // As if the service had died before it noted what became of the acts.
    await acting.owner`alter table decision_event disable trigger user`;
    await acting.owner`delete from decision_event where kind = 'acts' and company_id = ${acting.company.id}`;
    await acting.owner`alter table decision_event enable trigger user`;
    expect((await ask()).acts).toEqual(first.acts);
    expect(target.taken).toHaveLength(1);
    await acting.close();
    await target.close();
  });

  it('says that it does not know where the receiver failed after it was asked', async () => {
    const target = await receiver([500, 500, 502, 503]);
    const acting = await testService({
      made: service.made,
      connector: new WebhookConnector({ url: target.url, secret, backoffMs: 2 }),
    });
    const request = { ...easyRequest(acting.company), mode: 'auto' };
    const { body } = await acting.call('POST', '/v1/recommend', request);
    expect(body.acts.map(({ status }: { status: string }) => status)).toEqual(['unknown', 'succeeded', 'succeeded']);
    await target.close();
    // Nobody there: certainly nothing was taken.
    const gone = await acting.call('POST', '/v1/recommend', request);
    expect(gone.body.acts[0].status).toBe('failed');
    await acting.close();
  });

  it('puts a failed act on record as failed, and one without numbers as refused', async () => {
    const target = await receiver([400]);
    const acting = await testService({
      made: service.made,
      connector: new WebhookConnector({ url: target.url, secret, backoffMs: 5 }),
    });
    const request = easyRequest(acting.company);
    const { body } = await acting.call('POST', '/v1/recommend', { ...request, mode: 'auto' });
    expect(body.acts[0]).toMatchObject({ status: 'failed', message: expect.stringMatching(/answered 400/) as string });
    expect(body.acts[1]).toMatchObject({ status: 'succeeded' });
    const [{ status, error_message: message }] = await acting.owner<{ status: string; error_message: string }[]>`
      select status, error_message from autonomous_action where id = ${body.acts[0].action_id as number}`;
    expect([status, message]).toEqual(['failed', 'the webhook answered 400']);
    const named = {
      ...request,
      mode: 'auto',
      shipments: (request['shipments'] as object[]).map((one) => ({ ...one, id: 'b-1' })),
    };
    const refused = await acting.call('POST', '/v1/recommend', named);
    expect(refused.body.acts).toMatchObject([{ status: 'refused', action_id: null }]);
    await acting.close();
    await target.close();
  });

  it('is a dry run without a connector, and another company’s drivers are refused', async () => {
    const { body } = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
    expect(compile(actedAnswerProps)(body)).toBeNull();
    expect(body.acts.map(({ status }: { status: string }) => status)).toEqual(['dry_run', 'dry_run', 'dry_run']);
    const theirs = await service.call('POST', '/v1/recommend', { ...easyRequest(service.other), mode: 'auto' });
    expect(theirs.body.acts.map(({ status }: { status: string }) => status)).toEqual(['refused', 'refused', 'refused']);
    expect(theirs.body.acts[0].message).toBe('no such booking in this company: nothing was done');
    expect(await count(`autonomous_action where company_id = ${service.other.id}`)).toBe(0);
  });
});

describe('the administration', () => {
  const actions = '/api/admin/autonomous-actions';
  let admin: string;

  beforeAll(async () => {
    admin = await service.token({ role: 'admin' });
    await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
  });

  it('lists with filters and pages, and names what is wrong with a field', async () => {
    const all = await service.call('GET', actions, undefined, admin);
    expect(all.body.pagination).toMatchObject({ page: 1, per_page: 50, total_is_exact: true });
    expect(all.body.pagination.total).toBe(all.body.actions.length);
    const one = await service.call('GET', `${actions}?per_page=1&page=2&status=dry_run`, undefined, admin);
    expect(one.body.actions).toHaveLength(1);
    const [booking] = service.company.bookings;
    const mine = await service.call('GET', `${actions}?booking_id=${booking}&reviewed=false`, undefined, admin);
    expect(new Set(mine.body.actions.map((a: { booking_id: number }) => a.booking_id))).toEqual(new Set([booking]));
    for (const [query, path] of [
      ['per_page=201', 'per_page'],
      ['per_page=x', 'per_page'],
      ['page=0', 'page'],
      ['action_type=fly', 'action_type'],
      ['success=maybe', 'success'],
      ['nothing=1', 'nothing'],
      ['page=1&page=2', 'page'],
    ]) {
      const bad = await service.call('GET', `${actions}?${query}`, undefined, admin);
      expect([query, bad.status, bad.body.error.path]).toEqual([query, 400, path]);
    }
    for (const [query, path] of [
      ['date_from=yesterday', 'date_from'],
      ['date_from=2026-02-30', 'date_from'],
      ['date_to=01/02/2026', 'date_to'],
      ['date_to=2026-01-31T08:00', 'date_to'],
      ['date_from=%2B275760-09-13', 'date_from'],
      ['date_from=2026-02-01&date_to=2026-01-01', 'date_to'],
    ]) {
      const bad = await service.call('GET', `${actions}?${query}`, undefined, admin);
      expect([bad.status, bad.body.error.path]).toEqual([400, path]);
    }
    const method = await service.call('DELETE', `${actions}/1`, undefined, admin);
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'GET']);
    const everybody = await service.token({ role: 'admin', companyId: null });
    const companies = async (token: string): Promise<unknown> =>
      (await service.call('GET', '/v1/companies', undefined, token)).body.companies;
    expect(await companies(admin)).toEqual([{ id: service.company.id, name: 'mine' }]);
    expect(await companies(everybody)).toContainEqual({ id: service.other.id, name: 'theirs' });
  });

  it('shows figures, one action, and takes reviews of up to 1000 characters', async () => {
    for (const period of ['hour', 'day', 'week', 'month']) {
      const { body } = await service.call('GET', `${actions}/stats?period=${period}`, undefined, admin);
      expect(body.totals.total).toBeGreaterThan(0);
      expect(body.by_company.map((one: { company_id: number }) => one.company_id)).toEqual([service.company.id]);
    }
    const bad = await service.call('GET', `${actions}/stats?period=year`, undefined, admin);
    expect(bad).toMatchObject({ status: 400, body: { error: { path: 'period' } } });
    const [{ id }] = (await service.call('GET', actions, undefined, admin)).body.actions as { id: number }[];
    const review = (notes: unknown): Promise<Reply> =>
      service.call('POST', `${actions}/${id}/review`, { notes }, admin);
    expect((await review('x'.repeat(1001))).body.error.path).toBe('notes');
    expect((await review('x'.repeat(1000))).body.action).toMatchObject({
      reviewed_by_admin: true,
      reviewed_by: 'tester',
    });
    expect((await service.call('GET', `${actions}/${id}`, undefined, admin)).body.action.reviews).toHaveLength(1);
    expect((await service.call('GET', `${actions}/999999`, undefined, admin)).status).toBe(404);
  });

  it('knows companies apart: another’s rows are not found', async () => {
    const [{ id }] = (await service.call('GET', actions, undefined, admin)).body.actions as { id: number }[];
    const theirs = await service.token({ role: 'admin', companyId: service.other.id });
    const everybody = await service.token({ role: 'admin', companyId: null });
    const { body } = await service.call('POST', '/v1/recommend', easyRequest(service.company));
    const decision = `/v1/decisions/${body.provenance.decision_id as string}`;
    for (const path of [`${actions}/${id}`, decision, `${decision}/replay`]) {
      expect((await service.call('GET', path, undefined, theirs)).status).toBe(404);
      expect((await service.call('GET', path, undefined, everybody)).status).toBe(200);
      expect((await service.call('GET', `${path}?company_id=${service.other.id}`, undefined, everybody)).status).toBe(
        404,
      );
    }
    expect((await service.call('POST', `${actions}/${id}/review`, { notes: 'x' }, theirs)).status).toBe(404);
    expect((await service.call('GET', `${actions}?company_id=${service.other.id}`, undefined, admin)).status).toBe(404);
    expect((await service.call('GET', actions, undefined, theirs)).body.actions).toEqual([]);
    const all = await service.call('POST', '/api/admin/autonomy/kill-switch', { stopped: true, all: true }, admin);
    expect(all.status).toBe(403);
    const needed = await service.call('GET', '/api/admin/autonomy', undefined, everybody);
    expect(needed).toMatchObject({ status: 400, body: { error: { path: 'company_id' } } });
  });

  it('changes mode, rules and limits on record', async () => {
    const put = await service.call('PUT', '/api/admin/autonomy', { mode: 'SEMI_AUTO', auto_assign: false }, admin);
    expect(put.body.settings).toMatchObject({ mode: 'SEMI_AUTO', auto_assign: false });
    const entries = await service.owner<{ detail: { by: string } }[]>`
      select detail from audit_ledger where company_id = ${service.company.id} and kind = 'settings' order by seq desc limit 1`;
    expect(entries[0].detail.by).toBe('tester');
    const { body } = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
    expect(body.acts[0]).toMatchObject({ status: 'refused', refusal: { reason: 'approval' } });
    await service.call('PUT', '/api/admin/autonomy', { mode: 'FULLY_AUTO', auto_assign: true }, admin);
    const limits = [{ scope: 'fly', per: 'hour', capacity: 1 }];
    const bad = await service.call('PUT', '/api/admin/autonomy/limits', { limits }, admin);
    expect(bad).toMatchObject({ status: 400, body: { error: { path: 'limits[0].scope' } } });
  });
});

describe('faults', () => {
  it('with the database gone: recommend answers unrecorded or refuses, auto does nothing', async () => {
    const port = Number(new URL(service.made.database.appUrl).port);
    const proxy = await slowProxy(port);
    const through = (url: string): string => url.replace(`:${port}/`, `:${proxy.port}/`);
    const { database: own } = service.made;
    const database = { ...own, appUrl: through(own.appUrl), ownerUrl: through(own.ownerUrl) };
    const [answers, refuses] = await Promise.all([
      testService({ made: service.made, database }),
      testService({ made: service.made, database, unrecorded: 'refuse' }),
    ]);
    const ask = (where: TestService, mode: string): Promise<Reply> =>
      where.call('POST', '/v1/recommend', { ...easyRequest(where.company), mode });
    expect((await ask(answers, 'recommend')).body.provenance.recorded).toBe(true);
    await proxy.close();
    const rows = await count('autonomous_action');
    for (const mode of ['shadow', 'recommend']) {
      const { status, body } = await ask(answers, mode);
      expect([status, body.provenance.recorded, body.assignments.length]).toEqual([200, false, 3]);
      expect(await ask(refuses, mode)).toMatchObject({ status: 503, body: { error: { code: 'ERR_UNRECORDED' } } });
    }
    for (const where of [answers, refuses]) {
      const { status, headers, body } = await ask(where, 'auto');
      expect([status, headers.get('retry-after'), body.error.message]).toEqual([
        503,
        '1',
        'the database does not answer, so the decision is not recorded: no action was started',
      ]);
      expect((await callService(where.url, 'GET', '/ready')).status).toBe(503);
      expect((await callService(where.url, 'GET', '/health')).status).toBe(200);
    }
    expect(await count('autonomous_action')).toBe(rows);
    await Promise.all([answers.close(), refuses.close()]);
  });

  it('sheds what is too much with 503 and Retry-After, and recovers', async () => {
    const small = await testService({ made: service.made, maxInFlight: 4 });
    const body = { ...easyRequest(small.company), explain: true };
    const replies = await Promise.all(Array.from({ length: 200 }, () => small.call('POST', '/v1/recommend', body)));
    const shed = replies.filter(({ status }) => status === 503);
    expect(shed.length).toBeGreaterThan(0);
    expect(replies.filter(({ status }) => status === 200).length + shed.length).toBe(200);
    for (const { headers, body: problem } of shed) {
      expect([headers.get('retry-after'), problem.error.code]).toEqual(['1', 'ERR_OVERLOADED']);
    }
    for (let k = 0; k < 20; k++) expect((await small.call('POST', '/v1/recommend', body)).status).toBe(200);
    const metrics = (await callService(small.url, 'GET', '/metrics')).body as string;
    expect(metrics).toMatch(new RegExp(`^fleetstep_http_shed_total ${shed.length}$`, 'm'));
    expect(metrics).toMatch(/^fleetstep_http_in_flight 0$/m);
    await small.close();
  });

  it('counts a client that went away no longer', async () => {
    const small = await testService({ made: service.made, maxInFlight: 4 });
    const token = await small.token();
    const body = JSON.stringify({ ...easyRequest(small.company), explain: true });
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 8 }, async (_, k) => {
          const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
          const signal = AbortSignal.timeout(2 + k);
          await fetch(`${small.url}/v1/recommend`, { method: 'POST', body, headers, signal }).catch(() => undefined);
        }),
      );
    }
    await nothingInFlight(small);
    // Nor is computed what nobody waits for: the line is empty again, and the next is answered.
    expect((await small.call('POST', '/v1/recommend', body)).status).toBe(200);
    await small.close();
  });

  it('counts requests in the line of a connection that breaks no longer', async () => {
    const small = await testService({ made: service.made, maxInFlight: 8 });
    const { port, hostname } = new URL(small.url);
    for (let round = 0; round < 3; round++) {
      await new Promise<void>((done) => {
        const socket = openSocket(Number(port), hostname, () => {
          const line = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
          socket.write(line('/openapi.json').repeat(400) + line('/v1/policies').repeat(30));
          // It never reads, and goes.
          socket.pause();
          setTimeout(() => {
            socket.destroy();
            done();
          }, 100);
        });
      });
    }
    await nothingInFlight(small);
    expect((await small.call('GET', '/v1/policies')).status).toBe(200);
    await small.close();
  });

  it('answers short questions while long ones are thought about, and outlives a thread that dies', async () => {
    const few = await testService({ made: service.made });
    // So much work, however long it takes: with less time, a busy machine would answer them all at once.
    const long = { ...easyRequest(few.company), explain: true, deadline_ms: 60_000 };
    const order: string[] = [];
    const asked = Array.from({ length: 20 }, () =>
      few.call('POST', '/v1/recommend', long).then(({ status }) => order.push(`long ${status}`)),
    );
    for (let k = 0; k < 3; k++) {
      const { status } = await few.call('POST', '/v1/recommend', easyRequest(few.company));
      order.push(`short ${status}`);
    }
    await Promise.all(asked);
    // All at once, and the short ones are through while long ones still stand in their line.
    expect(order.at(-1)).toBe('long 200');
    expect(order.filter((one) => one === 'short 200')).toHaveLength(3);

    const before = await few.call('POST', '/v1/recommend', long);
    const dying = Array.from({ length: 20 }, () => few.call('POST', '/v1/recommend', long));
    // One is answered, and every thread is busy with another.
    await Promise.race(dying);
    await Promise.all(few.background.threads.map((thread) => thread.terminate()));
    const statuses = (await Promise.all(dying)).map(({ status }) => status);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses).toContain(503);
    const after = await few.call('POST', '/v1/recommend', long);
    expect(decided(after.body as Record<string, unknown>)).toBe(decided(before.body as Record<string, unknown>));
    // More than can wait in line come again.
    const many = await Promise.all(Array.from({ length: 60 }, () => few.call('POST', '/v1/recommend', long)));
    const busy = many.filter(({ status }) => status === 503);
    expect(busy.length).toBeGreaterThan(0);
    expect(many.filter(({ status }) => status === 200).length + busy.length).toBe(60);
    for (const { headers, body } of busy) {
      expect([headers.get('retry-after'), body.error.code]).toEqual(['1', 'ERR_BUSY']);
    }
    // What another thread refuses is refused as here.
    const policy = 'nobody';
    expect(await few.call('POST', '/v1/recommend', { ...long, policy })).toMatchObject({
      status: 400,
      body: { error: { code: 'ERR_REQUEST', path: 'policy' } },
    });
    await few.close();
  });

  it('limits the requests of one token, not of another', async () => {
    const few = await testService({ made: service.made, perMinute: 5 });
    const statuses = await Promise.all(Array.from({ length: 8 }, () => few.call('GET', '/v1/policies')));
    expect(statuses.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    const limited = statuses.find(({ status }) => status === 429)!;
    expect([limited.body.error.code, Number(limited.headers.get('retry-after')) > 0]).toEqual(['ERR_RATE', true]);
    const another = await few.token({ subject: 'another' });
    expect((await few.call('GET', '/v1/policies', undefined, another)).status).toBe(200);
    await few.close();
  });

  it('ends what is under way when it is told to stop', async () => {
    const stopping = await testService({ made: service.made });
    const slow = stopping.call('POST', '/v1/recommend', { ...easyRequest(stopping.company), explain: true });
    await once(stopping.app.server, 'request');
    const [reply] = await Promise.all([slow, stopping.close()]);
    expect(reply.status).toBe(200);
    await expect(stopping.call('GET', '/health')).rejects.toThrow();
    // Nor is it kept by a connection on which nobody has asked anything.
    const silent = await testService({ made: service.made });
    const { port, hostname } = new URL(silent.url);
    const socket = openSocket(Number(port), hostname);
    const gone = new Promise((done) => socket.once('close', done));
    socket.on('error', () => undefined);
    await new Promise((done) => socket.once('connect', done));
    await Promise.all([silent.close(), gone]);
  });
});

describe('the documents', () => {
  it('for the dispatcher name every field of a request, and every constraint', () => {
    const text = readFileSync(join(import.meta.dirname, '../docs/dispatcher.md'), 'utf8');
    const namesOf = (props: Props): string[] =>
      Object.entries(props).flatMap(([name, rule]) => [name, ...(name.startsWith('matrices') ? [] : inner(rule))]);
    const inner = (rule: Rule): string[] => {
      if (rule.type === 'object') return namesOf(rule.props);
      if (rule.type === 'array') return inner(rule.items);
      return rule.type === 'record' ? inner(rule.value) : [];
    };
    const names = [...new Set([...namesOf(documentedRequest), ...constraints])];
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !new RegExp(`[\`.]${name}[\`.\\[{]`).test(text))).toEqual([]);
  });

  it('for the admin name every setting', async () => {
    const text = readFileSync(join(import.meta.dirname, '../docs/admin.md'), 'utf8');
    const admin = await service.token({ role: 'admin' });
    const { settings } = (await service.call('GET', '/api/admin/autonomy', undefined, admin)).body as {
      settings: object;
    };
    expect(Object.keys(settings).filter((name) => !text.includes(name))).toEqual([]);
  });
});

describe('the document', () => {
  it('answers a request in VROOM’s form in that form, and records nothing of it', async () => {
    const request = {
      vehicles: [{ id: 1, start: [6.1, 46.2], end: [6.1, 46.2], description: 'a name' }],
      jobs: [{ id: 1, location: [6.2, 46.2] }],
      turns: 10,
    };
    const before = await service.call('GET', '/v1/decisions');
    const there = await service.call('POST', '/v1/vroom', request);
    const here = await service.call('POST', '/v1/recommend', { ...request, options: { format: 'vroom' } });
    expect([here.status, here.body]).toEqual([200, there.body]);
    expect(here.body.routes[0].steps.map(({ type }: { type: string }) => type)).toEqual(['start', 'job', 'end']);
    expect((await service.call('GET', '/v1/decisions')).body).toEqual(before.body);
    const auto = await service.call('POST', '/v1/recommend', {
      ...request,
      mode: 'auto',
      options: { format: 'vroom' },
    });
    expect([auto.status, auto.body.error.path]).toEqual([400, 'mode']);
  });

  it('stores no description', async () => {
    const plain = easyRequest(service.company) as unknown as RecommendRequest;
    const vehicles = plain.vehicles.map((one) => ({ ...one, description: 'a name in a vehicle' }));
    const [first, ...others] = plain.shipments as readonly ShipmentInput[];
    const shipments = [{ ...first, pickup: { ...first.pickup, description: 'a name at a stop' } }, ...others];
    const { status, body } = await service.call('POST', '/v1/recommend', { ...plain, vehicles, shipments });
    expect([status, body.violations]).toEqual([200, []]);
    const stored = await service.call('GET', `/v1/decisions/${body.provenance.decision_id as string}`);
    expect(stored.body.request.shipments).toHaveLength(shipments.length);
    expect(JSON.stringify(stored.body)).not.toContain('a name');
  });

  it('describes what is answered: on every route', async () => {
    const runs = reachableFolder();
    mkdirSync(join(runs, 'geneva-1'));
    writeFileSync(join(runs, 'geneva-1', 'config.json'), JSON.stringify({ scenario: { name: 'geneva' } }));
    const asked = await testService({ made: service.made, runs });
    const admin = await asked.token({ role: 'admin' });
    const everybody = await asked.token({ role: 'admin', companyId: null });
    const seen = new Set<string>();
    /** `call` itself compares with the document. */
    const ask = async (method: string, path: string, body?: object, token = admin): Promise<Reply> => {
      const reply = await asked.call(method, path, body, token);
      expect([path, reply.status]).toEqual([path, 200]);
      seen.add(
        `${method} ${path.split('?')[0].replace(/[0-9a-f-]{36}|\/\d+(?=\/|$)/, (id) => (id.length === 36 ? ':id' : '/:id'))}`,
      );
      return reply;
    };
    const request = easyRequest(asked.company);
    const recommended = await ask('POST', '/v1/recommend', { ...request, mode: 'auto', explain: true });
    const id = recommended.body.provenance.decision_id as string;
    const [{ shipment, vehicle }] = recommended.body.assignments as { shipment: number; vehicle: number }[];
    await ask('POST', '/v1/analyze', { ...request, plan: [{ shipment, vehicle }] });
    await ask('POST', '/v1/vroom', {
      vehicles: [{ id: 1, start: [6.1, 46.2] }],
      jobs: [{ id: 1, location: [6.2, 46.2] }],
    });
    await ask('POST', `/v1/decisions/${id}/outcome`, { shipment, outcome: 'accepted' });
    for (const path of [
      'decisions',
      `decisions/${id}`,
      `decisions/${id}/replay`,
      'live',
      'policies',
      'runs',
      'companies',
    ]) {
      await ask('GET', `/v1/${path}`);
    }
    // A run on a company's trips is for that company, and for who sees all of them.
    mkdirSync(join(runs, 'theirs'));
    writeFileSync(
      join(runs, 'theirs', 'config.json'),
      JSON.stringify({ scenario: { name: `company-${asked.other.id}`, demand: { kind: 'trace' } } }),
    );
    const names = async (token: string): Promise<string[]> =>
      (await asked.call('GET', '/v1/runs', undefined, token)).body.runs
        .map(({ name }: { name: string }) => name)
        .sort();
    const viewer = await asked.token({ role: 'viewer' });
    expect(await names(viewer)).toEqual(['geneva-1']);
    expect((await asked.call('GET', '/v1/runs/theirs', undefined, viewer)).status).toBe(404);
    for (const token of [everybody, await asked.token({ role: 'viewer', companyId: asked.other.id })]) {
      expect(await names(token)).toEqual(['geneva-1', 'theirs']);
    }
    await ask('GET', '/v1/policies/edf');
    await ask('GET', '/v1/runs/geneva-1');
    const actions = '/api/admin/autonomous-actions';
    const [{ id: action }] = (await ask('GET', actions)).body.actions as { id: number }[];
    await ask('GET', `${actions}/stats`);
    await ask('GET', `${actions}/${action}`);
    await ask('POST', `${actions}/${action}/review`, { notes: 'seen' });
    const autonomy = '/api/admin/autonomy';
    await ask('GET', autonomy);
    await ask('GET', `${autonomy}/limits`);
    await ask('PUT', autonomy, { breaker_failures: 1 });
    await ask('PUT', `${autonomy}/limits`, { limits: [{ scope: 'driver', per: 'day', capacity: null }] });
    await ask('POST', `${autonomy}/kill-switch`, { stopped: true });
    const refused = await ask('POST', '/v1/recommend', { ...request, mode: 'auto' });
    expect(refused.body.acts[0].refusal.reason).toBe('kill_switch');
    await ask('GET', `${actions}?status=refused`);
    await ask('POST', `${autonomy}/kill-switch`, { stopped: true, all: true }, everybody);
    await ask('POST', `${autonomy}/kill-switch`, { stopped: false, all: true }, everybody);
    await ask('POST', `${autonomy}/breaker/reset`, { action_type: 'assign' });
    const { paths } = (await asked.call('GET', '/openapi.json')).body as { paths: Record<string, object> };
    const all = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace('{id}', ':id')}`),
    );
    const named = new Set(
      [...seen].map((one) => one.replace(/policies\/edf|runs\/geneva-1/, (path) => `${path.split('/')[0]}/{name}`)),
    );
    expect(all.filter((one) => !named.has(one))).toEqual([]);
    await asked.close();
    rmSync(runs, { recursive: true });
  });

  it('describes every route, in OpenAPI 3.1, with what it takes', async () => {
    const { body } = await service.call('GET', '/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    const recommend = body.paths['/v1/recommend'].post;
    const schema = recommend.requestBody.content['application/json'].schema;
    expect(schema.required).toEqual(['vehicles', 'shipments']);
    expect(schema.properties.shipments.items.properties.pickup.properties.location.maxItems).toBe(2);
    expect(body.paths['/api/admin/autonomous-actions'].get.parameters.map((p: { name: string }) => p.name)).toContain(
      'per_page',
    );
    expect(Object.keys(body.paths as object).length).toBeGreaterThan(15);
    const ids = new Set<string>();
    for (const operations of Object.values(body.paths as Record<string, Record<string, unknown>>)) {
      for (const operation of Object.values(operations)) {
        const { operationId } = operation as { operationId: string };
        expect([operationId, ids.has(operationId)]).toEqual([expect.stringMatching(/^[a-zA-Z]+$/), false]);
        ids.add(operationId);
        const { responses } = operation as {
          responses: Record<string, { content: Record<string, { schema: { readonly anyOf?: object[] } }> }>;
        };
        const { schema: answer } = responses['200'].content['application/json'];
        for (const form of answer.anyOf ?? [answer]) expect(Object.keys(form)).toContain('required');
      }
    }
    expect(recommend.parameters.at(-1)).toMatchObject({ name: 'Idempotency-Key', in: 'header' });
  });
});
