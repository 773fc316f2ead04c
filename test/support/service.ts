// The service on a real port, with a database of its own.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Connection, Database } from '#audit/index.js';
import { Policies, Recommender } from '#advise/index.js';
import type { TrainedNetwork } from '#advise/index.js';
import { KeyRing, Service, addKey, dryRunConnector } from '#serve/index.js';
import { apiRoutes } from '#serve/api.js';
import { compile } from '#advise/schema.js';
import { createServer } from '#serve/server.js';
import type { Background, Caller, Connector, ServerOptions } from '#serve/index.js';
import { addCompany, reachableFolder, superuser, testDatabase } from './database.js';
import type { TestCompany, TestDatabase } from './database.js';

export interface TestService {
  readonly made: TestDatabase;
  readonly owner: Connection;
  readonly app: FastifyInstance;
  readonly url: string;
  readonly keys: KeyRing;
  readonly keyFile: string;
  readonly background: Background;
  readonly company: TestCompany;
  readonly other: TestCompany;
  token(caller?: Partial<Caller>, seconds?: number): Promise<string>;
  /** JSON in, status and JSON out. */
  call(method: string, path: string, body?: unknown, token?: string | null): Promise<Reply>;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // What the service says is looked at member by member.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export interface TestServiceOptions extends Partial<Omit<ServerOptions, 'service' | 'keys'>> {
  readonly connector?: Connector;
  readonly actWithinMs?: number;
  readonly unrecorded?: 'answer' | 'refuse';
  readonly deadlineMs?: number;
  readonly recordDeadlineMs?: number;
  readonly keyRereadMs?: number;
  readonly keyReport?: (message: string) => void;
  readonly networks?: readonly TrainedNetwork[];
  /** Instead of one of its own: several services may share one. */
  readonly made?: TestDatabase;
  /** Instead of the test database's own way in, such as through a proxy. */
  readonly database?: Database;
}

export async function testService(options: TestServiceOptions = {}): Promise<TestService> {
  const {
    connector = dryRunConnector,
    unrecorded = 'answer',
    actWithinMs,
    deadlineMs = 3000,
    // On a busy machine the database takes its time; where it is silent, the usual deadline is what is tested.
    recordDeadlineMs = options.database === undefined ? 20_000 : 500,
    keyReport,
    keyRereadMs,
    networks = [],
    made: given,
    database: way,
    ...server
  } = options;
  const made = given ?? (await testDatabase());
  const owner = superuser(made);
  const folder = reachableFolder();
  const keyFile = join(folder, 'keys.json');
  addKey(keyFile);
  const keys = new KeyRing(keyFile, keyReport, keyRereadMs);
  await keys.open();
  const database = way ?? made.database;
  const recommender = new Recommender(new Policies(networks), '0.0.0-test');
  const service = new Service({
    recommender,
    database,
    connector,
    unrecorded,
    actWithinMs,
    deadlineMs,
    recordDeadlineMs,
  });
  const app = await createServer({
    runs: join(folder, 'runs'),
    version: '0.0.0-test',
    logLevel: 'silent',
    perMinute: 1e9,
    ...server,
    service,
    keys,
  });
  const shapes = apiRoutes({ service, runs: '' }).map((route) => ({
    method: route.method,
    pattern: new RegExp(`^${route.path.replace(/:\w+/g, '[^/]+')}$`),
    forms: [route.answer, ...(route.otherAnswer === undefined ? [] : [route.otherAnswer])].map(compile),
  }));
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const company = await addCompany(owner, 'mine');
  const other = await addCompany(owner, 'theirs');
  const token = (caller: Partial<Caller> = {}, seconds = 600): Promise<string> =>
    keys.issue({ role: 'dispatcher', companyId: company.id, subject: 'tester', ...caller }, seconds);
  const usual = await token();
  return {
    made,
    owner,
    app,
    url,
    keys,
    keyFile,
    background: service.background,
    company,
    other,
    token,
    async call(method, path, body, bearer = usual) {
      const reply = await callService(url, method, path, body, bearer);
      // Whatever a test asks: what is answered has the shape that the document promises.
      const [address] = path.split('?');
      const shape = shapes.find((one) => one.method === method && one.pattern.test(address));
      const faults = reply.status === 200 ? (shape?.forms ?? []).map((check) => check(reply.body)) : [];
      const [fault] = faults;
      if (fault && !faults.includes(null)) throw new Error(`${method} ${path} answers ${fault.path} ${fault.message}`);
      return reply;
    },
    async close() {
      await app.close();
      await service.close(1);
      await owner.end({ timeout: 1 });
      if (given === undefined) await made.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function callService(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  token?: string | null,
): Promise<Reply> {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === null || token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });
  const text = await response.text();
  const json = (response.headers.get('content-type') ?? '').includes('json');
  return { status: response.status, headers: response.headers, body: json ? (JSON.parse(text) as unknown) : text };
}

const AS_OF = 1_763_971_200;

/** Three vehicles and three shipments in Geneva, all of them easy; ids are those of a company's drivers and bookings. */
export function easyRequest({ drivers, bookings }: Pick<TestCompany, 'drivers' | 'bookings'>): Record<string, unknown> {
  return {
    as_of: AS_OF,
    time_zone: 'Europe/Zurich',
    vehicles: drivers.map((id, k) => ({ id, start: [6.14 + 0.01 * k, 46.2] })),
    shipments: bookings.map((id, k) => ({
      id,
      pickup: { location: [6.141 + 0.01 * k, 46.201], time_windows: [[AS_OF, AS_OF + 1800]] },
      delivery: { location: [6.15, 46.19 + 0.01 * k] },
    })),
  };
}
