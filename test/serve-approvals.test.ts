// One booking in two decisions, each of which a person approves: it is assigned once, whoever was first, at whatever moment.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Recorder, verify } from '#audit/index.js';
import { WebhookConnector } from '#serve/index.js';
import { easyRequest, testService } from './support/service.js';
import type { Reply, TestService } from './support/service.js';

interface Delivery {
  readonly data: { readonly shipment: number };
}

let one: TestService;
/** Another process on the same database. */
let two: TestService;
const delivered: number[] = [];
const receiver = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    delivered.push((JSON.parse(body) as Delivery).data.shipment);
    response.end();
  });
});

beforeAll(async () => {
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  const { port } = receiver.address() as AddressInfo;
  const connector = new WebhookConnector({ url: `http://127.0.0.1:${port}/`, secret: 'a secret of the receiver' });
  one = await testService({ connector });
  two = await testService({ connector, made: one.made });
  await one.owner`select autonomy_configure(${one.company.id}, '{"mode": "SEMI_AUTO"}', 'test')`;
  for (const per of ['hour', 'day']) {
    for (const scope of ['all', 'assign']) {
      await one.owner`select autonomy_limit(${one.company.id}, ${scope}, ${per}, null, 1000000, 'test')`;
    }
  }
});

afterAll(async () => {
  await two.close();
  await one.close();
  await new Promise((done) => receiver.close(done));
});

async function newBooking(): Promise<number> {
  const [{ id }] = await one.owner<[{ id: number }]>`
    insert into booking (company_id) values (${one.company.id}) returning id`;
  return id;
}

async function decide(booking: number, by: string): Promise<string> {
  const token = await one.token({ subject: by });
  const request = { ...easyRequest({ drivers: one.company.drivers, bookings: [booking] }), mode: 'auto' };
  const { status, body } = await one.call('POST', '/v1/recommend', request, token);
  expect([status, body.acts]).toMatchObject([200, [{ shipment: booking, refusal: { reason: 'approval' } }]]);
  return body.provenance.decision_id as string;
}

async function approve(service: TestService, decision: string, shipment: number, by: string): Promise<Reply> {
  // Each process has its own key file.
  const token = await service.token({ subject: by, companyId: one.company.id });
  return service.call('POST', `/v1/decisions/${decision}/outcome`, { shipment, outcome: 'accepted' }, token);
}

describe('a booking in two decisions', () => {
  it('is assigned by one of two who approve at once: 20 races, each in one process and in two', async () => {
    for (let race = 0; race < 20; race++) {
      const booking = await newBooking();
      const decisions = await Promise.all([decide(booking, 'ann'), decide(booking, 'bob')]);
      const replies = await Promise.all(
        decisions.map((decision, k) => approve(race % 2 === k ? two : one, decision, booking, `person ${k}`)),
      );
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 409]);
      const done = replies.find(({ status }) => status === 200)!;
      expect(done.body.act).toMatchObject({ shipment: booking, status: 'succeeded' });
      const refused = replies.find(({ status }) => status === 409)!;
      expect(refused.body.error.message).toMatch(`shipment ${booking}`);
      expect(refused.body.error.message).toMatch('has been assigned since');
      expect(delivered.filter((shipment) => shipment === booking)).toHaveLength(1);
    }
    const acts = await one.owner<{ count: number }[]>`
      select count(*) from autonomous_action where status = 'succeeded' group by booking_id`;
    expect(acts.map(({ count }) => count)).toEqual(Array<number>(20).fill(1));
    expect(await verify(one.made.database)).toMatchObject({ ok: true });
  });

  it('is assigned once where many approve both, over and over', async () => {
    const booking = await newBooking();
    const decisions = [await decide(booking, 'ann'), await decide(booking, 'bob'), await decide(booking, 'cid')];
    const replies = await Promise.all(
      Array.from({ length: 18 }, (_, k) => approve(k % 2 === 0 ? one : two, decisions[k % 3], booking, `person ${k}`)),
    );
    // Who approves the same decision hears of the same act, or that it is under way.
    const acted = new Set(
      replies.filter(({ status }) => status === 200).map(({ body }) => body.act.action_id as number),
    );
    expect([...new Set(replies.map(({ status }) => status))].sort()).toEqual([200, 409]);
    expect(acted.size).toBe(1);
    expect(delivered.filter((shipment) => shipment === booking)).toHaveLength(1);
  });

  it('is not assigned again by a decision that was asked for before, and recorded after', async () => {
    const booking = await newBooking();
    const recorder = new Recorder(one.made.database, { deadlineMs: 10_000 });
    const late = await decide(booking, 'ann');
    // As if it had waited for the record while somebody else assigned the booking.
    await one.owner`alter table decision disable trigger decision_append_only`;
    await one.owner`update decision set created_at = created_at + interval '20 s' where id = ${late}`;
    await one.owner`alter table decision enable trigger decision_append_only`;
    await recorder.act(
      {
        companyId: one.company.id,
        actionType: 'assign',
        description: 'Assigned meanwhile',
        bookingId: booking,
        driverId: one.company.drivers[0],
        triggerSource: 'test',
        idempotencyKey: `meanwhile/${booking}`,
        approvedBy: 'bob',
      },
      () => undefined,
    );
    const reply = await approve(one, late, booking, 'cid');
    expect([reply.status, reply.body.error?.message]).toEqual([
      409,
      expect.stringMatching(`shipment ${booking} has been assigned since`),
    ]);
    expect(delivered).not.toContain(booking);
    await recorder.close();
  });
});
