// Who asks too much, or too slowly, keeps nobody else out: over raw sockets.

import { connect as openSocket } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LARGE_BODY } from '#serve/body-limits.js';
import { callService, easyRequest, testService } from './support/service.js';
import type { TestService } from './support/service.js';

let service: TestService;

beforeAll(async () => {
  service = await testService({ headersTimeoutMs: 2000, requestTimeoutMs: 4000 });
});

afterAll(async () => {
  await service.close();
});

interface Heard {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<void>;
}

/** Sends a beginning, and no more. */
function begin(text: string): Heard {
  const { port, hostname } = new URL(service.url);
  const socket = openSocket(Number(port), hostname);
  let heard = '';
  socket.on('data', (data) => (heard += data.toString())).on('error', () => undefined);
  const closed = new Promise<void>((done) => socket.once('close', () => done()));
  socket.write(text);
  return { socket, text: () => heard, closed };
}

function head(token: string, length: number): string {
  return `POST /v1/recommend HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
}

describe('slow senders', () => {
  it('of one token, however many, leave room for another’s requests and their own, and are ended in time', async () => {
    const token = await service.token();
    const theirs = await service.token({ companyId: service.other.id });
    const slow = Array.from({ length: 140 }, () => begin(`${head(token, 5000)}{"as_of": 1,`));
    const heads = Array.from({ length: 140 }, () => begin('POST /v1/recommend HTTP/1.1\r\nhost: x\r\n'));
    // All of them have been connected, and most have been read from.
    for (const { socket } of [...slow, ...heads]) {
      if (socket.connecting) await new Promise((done) => socket.once('connect', done));
    }
    for (let k = 0; k < 50; k++) {
      for (const one of [theirs, token]) {
        const reply = await service.call('POST', '/v1/recommend', easyRequest(service.company), one);
        // The other company does not know these drivers, which no recommendation asks.
        expect(reply.status).toBe(200);
      }
    }
    // Of one token few may be slow, and those that may are ended, too: with a word, or without.
    await Promise.all([...slow, ...heads].map(({ closed }) => closed));
    for (const { text } of slow) expect(text()).toMatch(/^(HTTP\/1\.1 408 .*)?/);
    expect(slow.filter(({ text }) => text().startsWith('HTTP/1.1 408')).length).toBeGreaterThan(100);
    expect((await callService(service.url, 'GET', '/metrics')).body).toMatch(/^fleetstep_http_in_flight 0$/m);
  });

  it('also where they trickle on for ever', async () => {
    const token = await service.token();
    const one = begin(head(token, 100_000));
    const timer = setInterval(() => one.socket.write(' '), 100);
    await one.closed;
    clearInterval(timer);
    expect(one.text()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('may hold so many bytes of one token, and not those of another', async () => {
    const [mine, theirs] = [await service.token(), await service.token({ companyId: service.other.id })];
    const large = (token: string): Heard => begin(`${head(token, LARGE_BODY)}{`);
    // Whichever comes last of the three is one too many.
    const three = [large(mine), large(mine), large(mine)];
    await Promise.race(three.map(({ socket }) => new Promise((done) => socket.once('data', done))));
    const [refused, ...others] = three.filter(({ text }) => text() !== '');
    expect(others).toEqual([]);
    expect(refused.text()).toMatch(
      /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n[^]*this account sends bodies of more than 64 MiB at once/,
    );
    refused.socket.destroy();
    // Small ones are not counted by their bytes, and another's large one is not refused.
    const small = await service.call('POST', '/v1/recommend', easyRequest(service.company));
    expect(small.status).toBe(200);
    const other = large(theirs);
    await other.closed;
    expect(other.text()).toMatch(/^HTTP\/1\.1 408 /);
    for (const one of three) await one.closed;
  });
});

describe('one connection', () => {
  it('has so many requests in its line, and the rest is told to come again', async () => {
    const token = await service.token();
    const line = `GET /v1/decisions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`;
    const { socket, text } = begin(line.repeat(100));
    const answers = (): string[] => text().match(/HTTP\/1\.1 \d+/g) ?? [];
    while (answers().length < 100) await new Promise((done) => setTimeout(done, 20));
    expect(answers().filter((line) => line.endsWith('503')).length).toBeGreaterThan(0);
    expect(answers().filter((line) => line.endsWith('200')).length).toBeGreaterThan(10);
    expect(text()).toContain('requests wait on this connection already');
    socket.destroy();
  });
});

describe('one token', () => {
  it('leaves a quarter of all places to others', async () => {
    const small = await testService({ made: service.made, maxInFlight: 8 });
    const [mine, theirs] = [await small.token(), await small.token({ subject: 'another' })];
    const long = { ...easyRequest(small.company), explain: true };
    let over = false;
    const hog = async (): Promise<number> => {
      let refused = 0;
      while (!over) {
        if ((await small.call('POST', '/v1/recommend', long, mine)).status === 503) refused++;
      }
      return refused;
    };
    const hogs = Array.from({ length: 12 }, hog);
    for (let k = 0; k < 20; k++) expect((await small.call('GET', '/v1/policies', undefined, theirs)).status).toBe(200);
    for (let k = 0; k < 3; k++) expect((await small.call('POST', '/v1/recommend', long, theirs)).status).toBe(200);
    over = true;
    const refused = await Promise.all(hogs);
    expect(refused.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(0);
    await small.close();
  });
});

describe('the largest request that is documented', () => {
  it('fits: a table of 1,200 places with durations and distances, each a number with a decimal', async () => {
    const places = 1200;
    const table = (cell: string): string =>
      `[${Array(places)
        .fill(`[${Array(places).fill(cell).join()}]`)
        .join()}]`;
    const matrices = `{"car":{"durations":${table('99999.9')},"distances":${table('999999.9')}}}`;
    const { vehicles, shipments } = {
      vehicles: Array.from({ length: 200 }, (_, k) => ({
        id: `vehicle-${k}`,
        start_index: k,
        skills: ['wheelchair'],
        capacity: [4, 2],
        status: 'available',
      })),
      shipments: Array.from({ length: 500 }, (_, k) => ({
        id: `shipment-${k}`,
        pickup: { location_index: 200 + 2 * k, time_windows: [[1_763_971_200, 1_763_974_800]] },
        delivery: { location_index: 201 + 2 * k },
        priority: 50,
      })),
    };
    const body = `{"as_of":1763971200,"vehicles":${JSON.stringify(vehicles)},"shipments":${JSON.stringify(shipments)},"matrices":${matrices}}`;
    expect(Buffer.byteLength(body)).toBeLessThan(LARGE_BODY);
    const { status, body: answer } = await service.call('POST', '/v1/recommend', body);
    // All of it is on record, too, however long that takes.
    expect([status, answer.provenance.recorded]).toEqual([200, true]);
  });
});
