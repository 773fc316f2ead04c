// The database gone silent: the switch above all, and everything else, is answered with what is known, and nothing is done.

import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '#audit/index.js';
import { databaseOf } from '#audit/database.js';
import type { EmbeddedServer } from '#audit/embedded.js';
import { WebhookConnector } from '#serve/index.js';
import { openServer, reachableFolder, signalServer } from './support/database.js';
import type { TestDatabase } from './support/database.js';
import { silentProxy } from './support/silent-proxy.js';
import { callService, easyRequest, testService } from './support/service.js';
import type { Reply, TestService } from './support/service.js';

const SWITCH = '/api/admin/autonomy/kill-switch';

let server: EmbeddedServer;
let made: TestDatabase;

beforeAll(async () => {
  const folder = reachableFolder();
  server = await openServer(folder);
  made = {
    database: databaseOf(server),
    superuserUrl: server.superuserUrl,
    async remove() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await migrate(made.database);
});

afterAll(async () => {
  signalServer(server, 'SIGCONT');
  await made.remove();
});

/** A receiver that takes nothing, and counts what it is asked. */
async function refusing(): Promise<{ url: string; asked: () => number; close: () => Promise<void> }> {
  let asked = 0;
  const http = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      asked++;
      response.writeHead(503).end();
    });
  });
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    asked: () => asked,
    close: () => new Promise((done) => void http.close(() => done())),
  };
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((done) => setTimeout(done, 20));
}

function webhook(url: string): WebhookConnector {
  return new WebhookConnector({ url, secret: 'a secret of the receiver', tries: 50, backoffMs: 100 });
}

async function askKeyed(service: TestService, key: string, mode: string): Promise<Reply> {
  const response = await fetch(`${service.url}/v1/recommend`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await service.token()}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify({ ...easyRequest(service.company), mode }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

async function isStopped(service: TestService): Promise<boolean> {
  const [{ stopped }] = await service.owner<{ stopped: boolean }[]>`
    select stopped from autonomy where company_id = ${service.company.id}`;
  return stopped;
}

describe('connections that have gone silent', () => {
  it('are replaced: switch, settings, lists, outcomes and readiness are answered all the same', async () => {
    const proxy = await silentProxy(made.database);
    const service = await testService({ made, database: proxy.database });
    const admin = await service.token({ role: 'admin' });
    const { body } = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
    const id = body.provenance.decision_id as string;
    const [{ shipment }] = body.assignments as { shipment: number }[];
    const asked: (readonly [string, string, object?])[] = [
      ['POST', SWITCH, { stopped: true }],
      ['GET', '/api/admin/autonomy/limits'],
      ['POST', `/v1/decisions/${id}/outcome`, { shipment, outcome: 'accepted' }],
      ['PUT', '/api/admin/autonomy', { breaker_failures: 7 }],
    ];
    for (const [method, path, sent] of asked) {
      // So that each finds its connection silent that it has had before.
      expect((await service.call(method, path, sent, admin)).status).toBe(200);
      proxy.silence();
      const { status, body: said } = await service.call(method, path, sent, admin);
      expect([path, status, said.error]).toEqual([path, 200, undefined]);
    }
    proxy.silence();
    expect((await callService(service.url, 'GET', '/ready')).status).toBe(200);
    expect(await isStopped(service)).toBe(true);
    await service.close();
    await proxy.close();
  });
});

describe('a server that is frozen', () => {
  it('lets nothing begin: the switch says that it is not confirmed, holds here at once, and is confirmed later', async () => {
    const service = await testService({ made, deadlineMs: 1000, recordDeadlineMs: 500 });
    const [admin, everybody] = [
      await service.token({ role: 'admin' }),
      await service.token({ role: 'admin', companyId: null }),
    ];
    const { body } = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
    const id = body.provenance.decision_id as string;
    const [{ shipment }] = body.assignments as { shipment: number }[];
    signalServer(server, 'SIGSTOP');
    try {
      const answers = await Promise.all([
        service.call('POST', SWITCH, { stopped: true }, admin),
        service.call('POST', SWITCH, { stopped: true, all: true }, everybody),
        service.call(
          'POST',
          SWITCH,
          { stopped: false },
          await service.token({ role: 'admin', companyId: service.other.id }),
        ),
        service.call('GET', '/api/admin/autonomy', undefined, admin),
        service.call('GET', '/api/admin/autonomy/limits', undefined, admin),
        service.call('GET', '/api/admin/autonomous-actions', undefined, admin),
        service.call('GET', `/v1/decisions/${id}`),
        service.call('GET', `/v1/decisions/${id}/replay`),
        service.call('GET', '/v1/decisions'),
        service.call('GET', '/v1/companies'),
        callService(service.url, 'GET', '/ready'),
        service.call('POST', `/v1/decisions/${id}/outcome`, { shipment, outcome: 'accepted' }),
        service.call('PUT', '/api/admin/autonomy', { breaker_failures: 3 }, admin),
        askKeyed(service, 'frozen-auto', 'auto'),
      ]);
      for (const { status, headers } of answers) expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      for (const { body: said } of answers.slice(0, 3)) expect(said.error.code).toBe('ERR_UNCONFIRMED');
      expect(answers[0].body.error.message).toMatch(/^the stop is not confirmed: the database did not answer in time/);
      for (const mode of ['recommend', 'shadow']) {
        const { status, body: said } = await askKeyed(service, `frozen-${mode}`, mode);
        expect([status, said.provenance.recorded, said.assignments.length]).toEqual([200, false, 3]);
      }
    } finally {
      signalServer(server, 'SIGCONT');
    }
    // Nobody asks again: what was asked for is done as soon as it can be.
    await until(() => isStopped(service));
    await until(async () => {
      const { status, body: said } = await service.call('GET', '/api/admin/autonomy', undefined, admin);
      return status === 200 && said.stopped_all === true;
    });
    const go = { stopped: false, all: true };
    await until(async () => (await service.call('POST', SWITCH, go, everybody)).status === 200);
    await until(async () => {
      const auto = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
      return (
        auto.status === 200 &&
        auto.body.acts[0].action_id !== null &&
        auto.body.acts[0].refusal?.reason === 'kill_switch'
      );
    });
    expect((await service.call('POST', SWITCH, { stopped: false }, admin)).body).toMatchObject({
      stopped: false,
      confirmed: true,
      settings: { stopped: false },
    });
    await service.close();
  });

  it('ends what is delivered again, at a stop that is not confirmed', async () => {
    const target = await refusing();
    const service = await testService({ made, connector: webhook(target.url) });
    const admin = await service.token({ role: 'admin' });
    const acting = service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
    await until(() => target.asked() > 1);
    signalServer(server, 'SIGSTOP');
    const stop = await service.call('POST', SWITCH, { stopped: true }, admin);
    expect([stop.status, stop.body.error.code]).toEqual([503, 'ERR_UNCONFIRMED']);
    const asked = target.asked();
    signalServer(server, 'SIGCONT');
    const { status, body } = await acting;
    expect([status, body.acts.map((act: { status: string }) => act.status)]).toEqual([
      200,
      ['unknown', 'refused', 'refused'],
    ]);
    expect(body.acts[0].message).toMatch(/not retried, because of the kill switch or an unreachable database/);
    expect(target.asked()).toBe(asked);
    await until(() => isStopped(service));
    await service.close();
    await target.close();
  });
});

describe('the kill switch', () => {
  it('ends what is delivered again: of a company, of all, and turned by another process', async () => {
    const target = await refusing();
    const service = await testService({ made, connector: webhook(target.url) });
    const another = await testService({ made });
    const admin = await service.token({ role: 'admin' });
    const everybody = await service.token({ role: 'admin', companyId: null });
    const elsewhere = await another.token({ role: 'admin', companyId: null });
    const ways: (readonly [TestService, string, object])[] = [
      [service, admin, {}],
      [service, everybody, { all: true }],
      [another, elsewhere, { all: true }],
    ];
    for (const [where, token, all] of ways) {
      const before = target.asked();
      const acting = service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
      await until(() => target.asked() > before + 1);
      expect((await where.call('POST', SWITCH, { stopped: true, ...all }, token)).status).toBe(200);
      const asked = target.asked();
      const { body } = await acting;
      expect(body.acts.map((act: { status: string }) => act.status)).toEqual(['unknown', 'refused', 'refused']);
      // One may have been under way when the switch was turned.
      expect(target.asked() - asked).toBeLessThanOrEqual(1);
      expect((await where.call('POST', SWITCH, { stopped: false, ...all }, token)).status).toBe(200);
    }
    await service.close();
    await another.close();
    await target.close();
  });
});
