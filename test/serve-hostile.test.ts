// Tokens that must not pass, and requests that nobody should send: from the OpenAPI document, bent, and raw bytes.

import { createHmac, createPublicKey, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect as openSocket } from 'node:net';
import fc from 'fast-check';
import { CompactSign, SignJWT, importJWK } from 'jose';
import type { CryptoKey, JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKey } from '#serve/index.js';
import { randomRequest } from './support/random-request.js';
import { easyRequest, testService } from './support/service.js';
import type { TestService } from './support/service.js';
import { sized, told } from './support/size.js';

let service: TestService;
let decisionId: string;
/** What the service says about its key file. */
const keyReports: string[] = [];
let document: Document;

interface Schema {
  readonly type?: string | string[];
  readonly enum?: string[];
  readonly anyOf?: Schema[];
  readonly items?: Schema;
  readonly prefixItems?: Schema[];
  readonly properties?: Record<string, Schema>;
  readonly required?: string[];
  readonly additionalProperties?: Schema | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
}
interface Operation {
  readonly description?: string;
  readonly parameters: { name: string; in: string; schema: Schema }[];
  readonly requestBody?: { content: { 'application/json': { schema: Schema } } };
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
}

beforeAll(async () => {
  service = await testService({ maxInFlight: 64, keyRereadMs: 100, keyReport: (message) => keyReports.push(message) });
  const { body } = await service.call('POST', '/v1/recommend', { ...easyRequest(service.company), mode: 'auto' });
  decisionId = body.provenance.decision_id;
  document = (await service.call('GET', '/openapi.json')).body;
});

afterAll(async () => {
  await service.close();
});

/** Every route with its method, and a path that leads somewhere. */
function routes(): { method: string; path: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: path
        .replace('/decisions/{id}', `/decisions/${decisionId}`)
        .replace('{id}', '1')
        .replace('{name}', 'hungarian'),
      operation,
    })),
  );
}

const agent = new Agent({ keepAlive: true, maxSockets: 24 });

function send(
  method: string,
  path: string,
  headers: Record<string, string | string[]>,
  body?: string | Buffer,
): Promise<{ status: number; text: string }> {
  return new Promise((done, failed) => {
    const request = httpRequest(`${service.url}${path}`, { method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => done({ status: response.statusCode!, text }));
      response.on('error', failed);
    });
    request.on('error', failed);
    request.end(body);
  });
}

const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Tokens that look like good ones but for one thing. */
async function badTokens(): Promise<Record<string, Record<string, string | string[]>>> {
  const [jwk] = (JSON.parse(readFileSync(service.keyFile, 'utf8')) as { keys: (JWK & { kid: string })[] }).keys;
  const key = (await importJWK(jwk, 'EdDSA')) as CryptoKey;
  const publicJwk = { kty: jwk.kty!, crv: jwk.crv!, x: jwk.x! };
  const pem = createPublicKey({ key: publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString();
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: 'EdDSA', kid: jwk.kid, typ: 'JWT' };
  const claims = {
    sub: 'tester',
    role: 'admin',
    company: service.company.id,
    iss: 'fleetstep',
    aud: 'fleetstep-api',
    iat: now,
    exp: now + 600,
  };
  const signed = (
    payload: object,
    head: object = header,
    by: CryptoKey | KeyObject | Uint8Array = key,
  ): Promise<string> =>
    new SignJWT(payload as Record<string, never>).setProtectedHeader(head as typeof header).sign(by);
  /** JSON.stringify knows no such number. */
  const rawToken = async (exp: string): Promise<string> => {
    const text = JSON.stringify(claims).replace(/"exp":\d+/, `"exp":${exp}`);
    return new CompactSign(Buffer.from(text)).setProtectedHeader(header).sign(key);
  };
  const without = (name: keyof typeof claims): object => {
    const { [name]: _, ...rest } = claims;
    return rest;
  };
  const hmac = (secret: string | Buffer, head: object = { ...header, alg: 'HS256' }): string => {
    const text = `${base64(head)}.${base64(claims)}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const none = (alg: string): string => `${base64({ ...header, alg })}.${base64(claims)}.`;
  const stranger = generateKeyPairSync('ed25519');
  const good = await signed(claims);
  // The good one passes: what follows fails for its own reason.
  expect((await send('GET', '/v1/policies', { authorization: `Bearer ${good}` })).status).toBe(200);
  const [head, payload, signature] = good.split('.');
  const strange = `${base64({ ...header, jwk: stranger.publicKey.export({ format: 'jwk' }) })}.${base64(claims)}`;
  const tokens: Record<string, string> = {
    'alg none': none('none'),
    'alg None': none('None'),
    'alg NONE': none('NONE'),
    'alg nOnE': none('nOnE'),
    'no alg': `${base64({ kid: jwk.kid })}.${payload}.${signature}`,
    'alg none with the signature': `${base64({ ...header, alg: 'none' })}.${payload}.${signature}`,
    'confusion: public key as secret': hmac(Buffer.from(jwk.x!, 'base64url')),
    'confusion: public key as text': hmac(jwk.x!),
    'confusion: PEM as secret': hmac(pem),
    'confusion: JWK as secret': hmac(JSON.stringify(publicJwk)),
    'empty secret': hmac(''),
    'weak secret': hmac('secret'),
    'another algorithm of the family': `${base64({ ...header, alg: 'Ed448' })}.${payload}.${signature}`,
    RS256: `${base64({ ...header, alg: 'RS256' })}.${payload}.${signature}`,
    expired: await signed({ ...claims, exp: now - 1 }),
    'expired long ago': await signed({ ...claims, exp: 1 }),
    'not yet': await signed({ ...claims, nbf: now + 300 }),
    'issued in the future and not yet': await signed({ ...claims, iat: now + 9999, nbf: now + 9999 }),
    'no exp': await signed(without('exp')),
    'exp in milliseconds': await signed({ ...claims, exp: (now + 600) * 1000 }),
    'exp beyond all numbers': await rawToken('1e999'),
    'issued in the future': await signed({ ...claims, iat: now + 60 }),
    'issued in milliseconds': await signed({ ...claims, iat: now * 1000 }),
    'not before in milliseconds': await signed({ ...claims, nbf: now * 1000 }),
    'sub with a mark that turns the text': await signed({ ...claims, sub: 'tester\u202egnp' }),
    'sub of blanks': await signed({ ...claims, sub: '  ' }),
    'sub that is empty': await signed({ ...claims, sub: '' }),
    'sub of 201 characters': await signed({ ...claims, sub: 'x'.repeat(201) }),
    'exp as text': await signed({ ...claims, exp: String(now + 600) }),
    'no iat': await signed(without('iat')),
    'no sub': await signed(without('sub')),
    'sub with a line break': await signed({ ...claims, sub: 'tester\nadmin' }),
    'sub of another kind': await signed({ ...claims, sub: 7 }),
    'wrong audience': await signed({ ...claims, aud: 'another' }),
    'audiences of others': await signed({ ...claims, aud: ['another', 'third'] }),
    'no audience': await signed(without('aud')),
    'wrong issuer': await signed({ ...claims, iss: 'another' }),
    'no issuer': await signed(without('iss')),
    'unknown kid': await signed(claims, { ...header, kid: 'unknown' }),
    'no kid': await signed(claims, { alg: 'EdDSA' }),
    'kid as a path': await signed(claims, { ...header, kid: '../../keys.json' }),
    'kid of the prototype': await signed(claims, { ...header, kid: '__proto__' }),
    "a stranger's key": await signed(claims, header, stranger.privateKey),
    'a key of its own': `${strange}.${signBytes(null, Buffer.from(strange), stranger.privateKey).toString('base64url')}`,
    'a key at an address': await signed(claims, { ...header, jku: 'http://127.0.0.1/keys' }, stranger.privateKey),
    'unknown critical header': `${base64({ ...header, crit: ['exp'] })}.${payload}.${signature}`,
    'unknown role': await signed({ ...claims, role: 'owner' }),
    'role in capitals': await signed({ ...claims, role: 'Admin' }),
    'roles as a list': await signed({ ...claims, role: ['admin'] }),
    'no role': await signed(without('role')),
    'company as text': await signed({ ...claims, company: String(service.company.id) }),
    'company 0': await signed({ ...claims, company: 0 }),
    'company below 0': await signed({ ...claims, company: -1 }),
    'company in parts': await signed({ ...claims, company: 1.5 }),
    'companies as a list': await signed({ ...claims, company: [service.company.id] }),
    'a dispatcher of all companies': await signed({ ...without('company'), role: 'dispatcher' }),
    'a viewer of all companies': await signed({ ...without('company'), role: 'viewer' }),
    'payload exchanged': `${head}.${base64({ ...claims, company: service.other.id })}.${signature}`,
    'signature cut': `${head}.${payload}.${signature.slice(0, -4)}`,
    'signature of zeros': `${head}.${payload}.${base64(Buffer.alloc(64).toString('latin1'))}`,
    'no signature': `${head}.${payload}.`,
    'two parts': `${head}.${payload}`,
    'five parts': `${good}.${head}.${payload}`,
    'no JSON': `${base64('x')}.${base64('y')}.${signature}`,
    huge: await signed({ ...claims, filler: 'x'.repeat(8000) }),
    'with a blank': `${good} ${good}`,
    empty: '',
  };
  return {
    'no header': {},
    'another scheme': { authorization: `Basic ${good}` },
    'no scheme': { authorization: good },
    'only the scheme': { authorization: 'Bearer' },
    'as a cookie': { cookie: `token=${good}` },
    'two headers, one bad': { authorization: ['Bearer x.y.z', `Bearer ${good}`] },
    ...Object.fromEntries(Object.entries(tokens).map(([name, token]) => [name, { authorization: `Bearer ${token}` }])),
  };
}

describe('tokens', () => {
  it('that are wrong in one of fifty ways pass on no route', async () => {
    const bad = await badTokens();
    expect(Object.keys(bad).length).toBeGreaterThan(50);
    const all = routes();
    expect(all.length).toBeGreaterThan(20);
    for (const [name, headers] of Object.entries(bad)) {
      const statuses = await Promise.all(
        all.map(async ({ method, path }) => {
          const { status, text } = await send(
            method,
            path,
            { ...headers, 'content-type': 'application/json' },
            method === 'GET' ? undefined : '{}',
          );
          expect([name, text.includes('"error"')]).toEqual([name, true]);
          return status;
        }),
      );
      expect([name, [...new Set(statuses)]]).toEqual([name, [401]]);
    }
    // A token in the address is none.
    const good = await service.token({ role: 'admin' });
    expect((await send('GET', `/v1/policies?token=${good}`, {})).status).toBe(401);
  });

  it('of a role that may not are refused on every route that says so, and only there', async () => {
    for (const role of ['admin', 'dispatcher', 'viewer'] as const) {
      const authorization = `Bearer ${await service.token({ role })}`;
      for (const { method, path, operation } of routes()) {
        const allowed = /Roles: (.*)\./.exec(operation.description!)![1].split(', ').includes(role);
        const { status } = await send(
          method,
          path,
          { authorization, 'content-type': 'application/json' },
          method === 'GET' ? undefined : '{}',
        );
        expect([role, method, path, status === 403]).toEqual([role, method, path, !allowed]);
      }
    }
  });

  it('hold as long as their key is in the file: keys come and go while the service runs', async () => {
    const before = readFileSync(service.keyFile, 'utf8');
    const old = await service.token();
    const status = async (token: string): Promise<number> =>
      (await send('GET', '/v1/policies', { authorization: `Bearer ${token}` })).status;
    addKey(service.keyFile, 'HS256');
    // It looks ten times a second here.
    await new Promise((done) => setTimeout(done, 150));
    const fresh = await service.token();
    expect([await status(old), await status(fresh)]).toEqual([200, 200]);
    const { keys } = JSON.parse(readFileSync(service.keyFile, 'utf8')) as { keys: unknown[] };
    writeFileSync(service.keyFile, JSON.stringify({ keys: keys.slice(1) }));
    await new Promise((done) => setTimeout(done, 150));
    expect([await status(old), await status(fresh)]).toEqual([401, 200]);
    // A file that is broken, has no keys, is a folder or gone revokes all: whoever did that may have meant to.
    for (const spoil of [
      () => writeFileSync(service.keyFile, 'broken'),
      () => writeFileSync(service.keyFile, ''),
      () => writeFileSync(service.keyFile, '{"keys": []}'),
      () => writeFileSync(service.keyFile, '{"keys": [null]}'),
      () => rmSync(service.keyFile),
      () => mkdirSync(service.keyFile),
    ]) {
      spoil();
      await new Promise((done) => setTimeout(done, 150));
      expect([spoil.toString(), await status(old), await status(fresh)]).toEqual([spoil.toString(), 401, 401]);
    }
    expect(keyReports.at(-1)).toMatch(/^every token is refused: cannot read the keys in .*EISDIR/);
    expect(keyReports).toHaveLength(5);
    rmSync(service.keyFile, { recursive: true });
    writeFileSync(service.keyFile, before);
    await new Promise((done) => setTimeout(done, 150));
    expect([await status(old), await status(fresh)]).toEqual([200, 401]);
    expect(keyReports.at(-1)).toMatch(/is valid again/);
  });

  it('of any usual identity provider pass, also where its clock is a little ahead; what is wrong is said to who may know', async () => {
    const [jwk] = (JSON.parse(readFileSync(service.keyFile, 'utf8')) as { keys: (JWK & { kid: string })[] }).keys;
    const key = (await importJWK(jwk, 'EdDSA')) as CryptoKey;
    const ask = async (claims: object): Promise<{ status: number; text: string }> => {
      const now = Math.floor(Date.now() / 1000);
      const usual = { sub: 'x', role: 'viewer', company: service.company.id, iss: 'fleetstep', aud: 'fleetstep-api' };
      const token = await new SignJWT({ ...usual, iat: now, exp: now + 600, ...claims })
        .setProtectedHeader({ alg: 'EdDSA', kid: jwk.kid })
        .sign(key);
      return send('GET', '/v1/policies', { authorization: `Bearer ${token}` });
    };
    for (const sub of [
      'auth0|64ab',
      'google-oauth2|103547991597142817347',
      'anna+dispatch@example.org',
      'zoë@exämple.ch',
      '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
      'urn:example:account:17',
      'spiffe://example.org/ns/dispatch/sa/agent',
      'system:serviceaccount:dispatch:agent',
      'CN=Dispatch 1,OU=Geneva,O=Example',
      'S-1-5-21-3623811015-3361044348-30300820-1013',
      'x'.repeat(200),
    ]) {
      expect([sub, (await ask({ sub })).status]).toEqual([sub, 200]);
    }
    const now = Math.floor(Date.now() / 1000);
    expect((await ask({ iat: now + 3, nbf: now + 3 })).status).toBe(200);
    for (const [claims, words] of [
      [{ exp: (now + 600) * 1000 }, /its exp is \d+: expected seconds since 1970, not milliseconds/],
      [{ iat: now + 60 }, /its iat is in the future/],
      [{ nbf: now + 60 }, /its nbf is in the future/],
      [{ sub: 'a\tb' }, /its sub must have 1 to 200 characters/],
      // Each counts as two where it goes on record.
      [{ sub: '🚕'.repeat(101) }, /its sub must have 1 to 200 characters/],
      [{ exp: now - 1 }, /has expired/],
    ] as const) {
      const { status, text } = await ask(claims);
      expect([claims, status, text]).toEqual([claims, 401, expect.stringMatching(words)]);
    }
  });
});

/** Mostly what a schema asks for, now and then something else. */
function arbitrary(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const fit = fitting(schema, depth);
  const wild = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      '',
      -1,
      0,
      1e308,
      -0,
      NaN,
      [],
      {},
      'x'.repeat(300),
      '\u0000',
      "'; drop table decision; --",
      true,
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  return fc.oneof({ weight: depth === 0 ? 60 : 30, arbitrary: fit }, { weight: 1, arbitrary: wild });
}

function fitting(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => arbitrary(one, depth + 1)));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  const { minimum = -1000, maximum = 1000 } = schema;
  switch (type) {
    case 'integer':
      return fc.oneof(
        fc.integer({ min: Math.max(minimum, -(2 ** 31)), max: Math.min(maximum, 2 ** 31 - 1) }),
        fc.constantFrom(minimum, maximum),
        fc.integer({ min: 1_763_900_000, max: 1_764_000_000 }),
      );
    case 'number':
      return fc.double({ min: minimum, max: maximum, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'string':
      return fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('car', 'hungarian', 'Europe/Zurich', decisionId));
    case 'array':
      return schema.prefixItems === undefined
        ? fc.array(arbitrary(schema.items ?? {}, depth + 1), { maxLength: Math.min(schema.maxItems ?? 4, 4) })
        : fc.tuple(...schema.prefixItems.map((one) => arbitrary(one, depth + 1)));
    case 'object': {
      if (schema.properties === undefined) {
        const { additionalProperties: rest = {} } = schema;
        return fc.dictionary(
          fc.constantFrom('car', 'x', '__proto__'),
          arbitrary(rest === true || rest === false ? {} : rest, depth + 1),
          { maxKeys: 2 },
        );
      }
      return fc.record(
        Object.fromEntries(Object.entries(schema.properties).map(([name, one]) => [name, arbitrary(one, depth + 1)])),
        { requiredKeys: schema.required ?? [] },
      );
    }
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

/** Words that no answer may hold: they would tell how the service is made. */
const INTERNALS =
  /node_modules|\.js:\d|\bat [\w.]+ \(|\bselect\b.*\bfrom\b|syntax error at|postgres(ql)?:\/\/|ECONNREFUSED|TypeError|RangeError|undefined is not|is not a function|Cannot read|violates|constraint|relation "/i;

const total = sized(2500, 100_000);
describe(`${told(total)} requests that nobody should send`, () => {
  it(
    'are answered without a fault, without telling anything, and the service goes on',
    { tags: ['attack'] },
    async () => {
      const authorization = `Bearer ${await service.token({ role: 'admin' })}`;
      const all = routes();
      const samples = all.map(({ operation }, k) => {
        const schema = operation.requestBody?.content['application/json'].schema;
        const queries = operation.parameters.filter((parameter) => parameter.in === 'query');
        return {
          bodies: schema === undefined ? [undefined] : fc.sample(arbitrary(schema), { numRuns: 300, seed: k }),
          queries: fc.sample(
            fc.record(Object.fromEntries(queries.map(({ name, schema: one }) => [name, arbitrary(one, 1)])), {
              requiredKeys: [],
            }),
            { numRuns: 100, seed: k },
          ),
        };
      });
      const bytes = fc.sample(fc.uint8Array({ maxLength: 200 }), { numRuns: 500, seed: 1 });
      const statuses: Record<number, number> = {};
      let k = 0;
      const one = async (): Promise<void> => {
        while (k < total) {
          const n = k++;
          // Every second one goes to where most can go wrong.
          const r = n % 2 === 0 ? all.findIndex(({ path }) => path === '/v1/recommend') : (n >> 1) % all.length;
          const { method, path } = all[r];
          const { bodies, queries } = samples[r];
          const words = Object.entries(queries[n % queries.length] as Record<string, unknown>).flatMap(
            ([name, value]) => (typeof value === 'object' ? [] : [`${name}=${encodeURIComponent(word(value))}`]),
          );
          const where = n % 5 === 0 || method !== 'GET' ? path : `${path}?${words.join('&')}`;
          let body: string | Buffer | undefined;
          if (method !== 'GET') {
            if (n % 20 === 4) body = Buffer.from(bytes[n % bytes.length]);
            else if (path === '/v1/recommend' && n % 4 === 0) body = bent(n);
            else body = JSON.stringify(bodies[n % bodies.length]) ?? '';
          }
          const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
          const { status, text } = await send(method, where, headers, body);
          statuses[status] = (statuses[status] ?? 0) + 1;
          const shed = status === 503 && text.includes('ERR_OVERLOADED');
          if (
            (status >= 500 && !shed) ||
            INTERNALS.test(text) ||
            (status >= 400 && !text.startsWith('{"error":{"code"'))
          ) {
            throw new Error(`${method} ${where} ${String(body)}: ${status} ${text}`);
          }
        }
      };
      await Promise.all(Array.from({ length: 24 }, one));
      expect(Object.values(statuses).reduce((sum, value) => sum + value, 0)).toBe(total);
      // Not all of it is refused at the door.
      expect(statuses[200]).toBeGreaterThan(total / 20);
      expect(statuses[400]).toBeGreaterThan(total / 20);
      expect((await service.call('GET', '/ready')).body).toMatchObject({ ready: true });
      expect((await service.call('POST', '/v1/recommend', easyRequest(service.company))).status).toBe(200);
    },
  );

  it('also where they are nested deep, bring functions’ names, or name a thousand time zones', async () => {
    const authorization = `Bearer ${await service.token({ role: 'admin' })}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    for (const path of ['/v1/recommend', '/v1/analyze', `/v1/decisions/${decisionId}/outcome`]) {
      for (const depth of [17, 1000, 5000, 8000, 100_000]) {
        for (const body of [nested(depth), `{"as_of":1,"vehicles":[],"shipments":${nested(depth)}}`]) {
          const { status, text } = await send('POST', path, headers, body);
          expect([path, depth, status, INTERNALS.test(text)]).toEqual([path, depth, status === 413 ? 413 : 400, false]);
        }
      }
    }
    for (const name of ['toJSON', 'constructor', 'valueOf', 'then', 'length', 'hasOwnProperty', '_bigint']) {
      const odd = `{"as_of":1,"vehicles":[],"shipments":[{"${name}":1},{"constructor":"x","${name}":{"${name}":1}}]}`;
      const { status, text } = await send('POST', '/v1/recommend', headers, odd);
      expect([name, [200, 400].includes(status), INTERNALS.test(text)]).toEqual([name, true, false]);
      if (status === 200) {
        const id = (JSON.parse(text) as { provenance: { decision_id: string } }).provenance.decision_id;
        expect((await send('GET', `/v1/decisions/${id}/replay`, { authorization })).text).toMatch(/"same":true/);
        expect((await send('GET', '/v1/live', { authorization })).status).toBe(200);
      }
    }
    const zone = 'america/argentina/comodrivadavia';
    for (let k = 0; k < 1500; k++) {
      const written = zone
        .split('')
        .map((letter, n) => ((k >> (n % 11)) & 1 ? letter.toUpperCase() : letter))
        .join('');
      const body = JSON.stringify({ as_of: 1, time_zone: written, vehicles: [], shipments: [] });
      expect((await send('POST', '/v1/recommend', headers, body)).status).toBe(200);
    }
  });

  it('also as raw bytes on the socket', async () => {
    const { port, hostname } = new URL(service.url);
    const token = await service.token();
    const start = `POST /v1/recommend HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;
    const openings = [
      'GET / HTTP/9.9\r\n\r\n',
      'GET /v1/policies HTTP/1.1\r\n\r\n',
      `${start}content-length: 5\r\ncontent-length: 6\r\n\r\n{}`,
      `${start}content-length: -1\r\n\r\n{}`,
      `${start}content-length: 99999999999\r\n\r\n{}`,
      `${start}transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nzz\r\n`,
      `${start}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n`,
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      `GET /v1/policies HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${'a'.repeat(100_000)}\r\n\r\n`,
      `GET /v1/decisions/%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n`,
      `GET /v1/runs/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001',
      ...fc.sample(fc.string({ unit: 'binary', maxLength: 300 }), { numRuns: 300, seed: 2 }),
    ];
    for (const opening of openings) {
      const text = await new Promise<string>((done) => {
        const socket = openSocket(Number(port), hostname);
        let heard = '';
        socket.on('data', (data) => (heard += data.toString()));
        socket.on('error', () => done(heard));
        socket.on('close', () => done(heard));
        socket.setTimeout(60, () => socket.destroy());
        socket.write(opening);
      });
      expect(INTERNALS.test(text)).toBe(false);
      expect(/^HTTP\/1\.1 5/.test(text)).toBe(false);
      expect(text.includes('root:')).toBe(false);
    }
    expect((await service.call('POST', '/v1/recommend', easyRequest(service.company))).status).toBe(200);
  });
});

/** A sound request with one part of it exchanged. */
function bent(seed: number): string {
  const request = randomRequest(seed, 5);
  const text = JSON.stringify(request);
  if (seed % 3 === 0) return text;
  const values = ['null', '-1', '1e9', '[]', '{}', '"x"', 'true', '0.5', '99999999999', '[[1,2]]'];
  let n = 0;
  const target = seed % 97;
  return text.replace(/:\s*("[^"]*"|-?[\d.]+|\[[^[\]]*\])/g, (found) =>
    n++ === target ? `:${values[seed % values.length]}` : found,
  );
}

/** As it stands in an address: without halves of characters, which none can carry. */
function word(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toString();
}
