// The server of environments as its client sees it: what it says, what it refuses, and that it ends and leaves nothing wherever its input does.

import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { HELLO, PROTOCOL } from '#bridge/index.js';
import { VectorDispatchEnv } from '#engine/index.js';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const folder = mkdtempSync(join(tmpdir(), 'fleetstep-bridge-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request = {
  hello: HELLO,
  protocol: PROTOCOL,
  version,
  scenario: 'geneva',
  numEnvs: 2,
  firstEnv: 0,
  observation: 'classic',
  autoresetMode: 'SAME_STEP',
  split: 'training',
  pairs: false,
};

interface Welcome {
  readonly bytes: number;
  readonly fields: Readonly<Record<string, { readonly offset: number; readonly shape: readonly number[] }>>;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A client that speaks the protocol by hand. */
class Client {
  readonly #child: ChildProcessWithoutNullStreams = spawn(process.execPath, [main, 'env-server']);
  readonly #ended: Promise<number | null>;
  #out = Buffer.alloc(0);
  #stderr = '';

  constructor() {
    this.#child.stdout.on('data', (chunk: Buffer) => void (this.#out = Buffer.concat([this.#out, chunk])));
    this.#child.stderr.on('data', (chunk: Buffer) => void (this.#stderr += chunk.toString()));
    // It may be gone before it has read all.
    this.#child.stdin.on('error', () => undefined);
    this.#ended = new Promise((resolve) => this.#child.on('close', resolve));
  }

  write(bytes: string | Uint8Array): void {
    this.#child.stdin.write(bytes);
  }

  line(value: unknown): void {
    this.write(`${JSON.stringify(value)}\n`);
  }

  async take(count: number): Promise<Buffer> {
    while (this.#out.length < count) await new Promise((resolve) => this.#child.stdout.once('data', resolve));
    const taken = this.#out.subarray(0, count);
    this.#out = this.#out.subarray(count);
    return taken;
  }

  async takeLine<T>(): Promise<T> {
    let end: number;
    while ((end = this.#out.indexOf(10)) < 0) await new Promise((resolve) => this.#child.stdout.once('data', resolve));
    return JSON.parse((await this.take(end + 1)).toString()) as T;
  }

  /** Ends its input, and waits for its end. */
  async end(): Promise<{ readonly code: number | null; readonly stderr: string }> {
    this.#child.stdin.end();
    return { code: await this.#ended, stderr: this.#stderr };
  }
}

function fileOf(name: string, bytes: number): string {
  const file = join(folder, name);
  writeFileSync(file, Buffer.alloc(bytes));
  return file;
}

/** A client that has been greeted, and the shared file. */
async function greeted(name: string): Promise<{ client: Client; welcome: Welcome; file: string }> {
  const client = new Client();
  client.line(request);
  const welcome = await client.takeLine<Welcome>();
  const file = fileOf(name, welcome.bytes);
  client.line({ file, remove: false });
  client.line({ ready: true });
  expect(await client.takeLine()).toEqual({ ready: true });
  return { client, welcome, file };
}

function message(kind: number, count: number, numbers: Int32Array | Float64Array): Uint8Array {
  const head = Int32Array.of(kind, count);
  return Buffer.concat([Buffer.from(head.buffer), Buffer.from(numbers.buffer, 0, numbers.byteLength)]);
}

describe('the server of environments', () => {
  it('steps as the engine does, writes into the file, and answers whether an episode has ended', async () => {
    const { client, welcome, file } = await greeted('steps');
    const env = new VectorDispatchEnv({ scenario: 'geneva', numEnvs: 2, observation: 'classic' });
    const same = (): void => {
      const bytes = readFileSync(file);
      const { offset, shape } = welcome.fields['observations'];
      const { observations } = env.world.out;
      expect(shape).toEqual([2, observations.length / 2]);
      expect([...new Float32Array(bytes.buffer, bytes.byteOffset + offset, observations.length)]).toEqual([
        ...observations,
      ]);
    };
    client.write(message(2, 2, Float64Array.of(5, 5)));
    expect([...(await client.take(1))]).toEqual([0]);
    env.reset({ seed: 5 });
    same();
    const actions = Int32Array.of(0, 1);
    for (let t = 1; t <= 96; t++) {
      // In two pieces: a message may come so.
      const bytes = message(1, 2, actions);
      client.write(bytes.subarray(0, 9));
      client.write(bytes.subarray(9));
      expect([...(await client.take(1))]).toEqual([t === 96 ? 1 : 0]);
      env.step(actions);
    }
    same();
    // One goes on, with its next episode; the other is left alone.
    client.write(message(2, 2, Float64Array.of(-1, -2)));
    expect([...(await client.take(1))]).toEqual([0]);
    env.reset({ options: { resetMask: [true, false] } });
    same();
    expect(await client.end()).toEqual({ code: 0, stderr: '' });
  });

  it('plays a tape at once, and tells the seconds', async () => {
    const { client } = await greeted('tape');
    const tape = new Int32Array(2 * 10);
    const head = Buffer.from(Int32Array.of(3, 10).buffer);
    client.write(Buffer.concat([head, Buffer.from(Float64Array.of(7).buffer), Buffer.from(tape.buffer)]));
    const reply = await client.take(5);
    const told = JSON.parse((await client.take(reply.readInt32LE(1))).toString()) as { seconds: number };
    expect(reply[0]).toBe(3);
    expect(told.seconds).toBeGreaterThan(0);
    expect((await client.end()).code).toBe(0);
  });

  it('ends without a word wherever its input ends, and removes the name of a file that it was told', async () => {
    const ends: ((client: Client) => Promise<string | undefined>)[] = [
      () => Promise.resolve(undefined),
      (client) => {
        client.write('{"hel');
        return Promise.resolve(undefined);
      },
      async (client) => {
        client.line(request);
        await client.takeLine();
        return undefined;
      },
      async (client) => {
        client.line(request);
        const { bytes } = await client.takeLine<Welcome>();
        const file = fileOf('told', bytes);
        client.line({ file, remove: true });
        return file;
      },
      async (client) => {
        client.line(request);
        const { bytes } = await client.takeLine<Welcome>();
        const file = fileOf('opened', bytes);
        client.line({ file, remove: true });
        client.line({ ready: true });
        await client.takeLine();
        // Both have it open: the name is gone already.
        expect(existsSync(file)).toBe(false);
        return undefined;
      },
    ];
    for (const until of ends) {
      const client = new Client();
      const file = await until(client);
      expect(await client.end()).toEqual({ code: 0, stderr: '' });
      if (file !== undefined) expect(existsSync(file)).toBe(false);
    }
  });

  it.each([
    [{ ...request, hello: 'hello' }, 'ERR_BRIDGE_REQUEST', 'the first line is no request of the Python package'],
    [{ ...request, protocol: 0 }, 'ERR_BRIDGE_VERSION', 'install the same version of both'],
    [{ ...request, version: '99.0.0' }, 'ERR_BRIDGE_VERSION', 'the Python package is version 99.0.0'],
    [{ ...request, numEnv: 2 }, 'ERR_BRIDGE_REQUEST', 'did you mean "numEnvs"'],
    [{ ...request, numEnvs: 0 }, 'ERR_BRIDGE_REQUEST', 'numEnvs is 0'],
    [{ ...request, pairs: 1 }, 'ERR_BRIDGE_REQUEST', 'pairs must be true or false'],
    [{ ...request, data: 1 }, 'ERR_BRIDGE_REQUEST', 'data must be a path'],
    [{ ...request, scenario: [] }, 'ERR_BRIDGE_REQUEST', 'scenario must be a name'],
    [{ ...request, scenario: 'genva' }, 'ERR_SCENARIO', 'unknown scenario "genva"'],
    [{ ...request, scenario: 'nyc-small', data: folder }, 'ERR_DATA_MISSING', folder],
    [{ ...request, autoresetMode: 'NEXT' }, 'ERR_BRIDGE_REQUEST', 'autoresetMode is "NEXT": did you mean "NEXT_STEP"'],
  ])('refuses %j', async (line, code, text) => {
    const client = new Client();
    client.line(line);
    const { error } = await client.takeLine<Welcome>();
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(text);
    expect((await client.end()).code).toBe(2);
  });

  it('refuses what is no line, a file of another size, and one that is not there', async () => {
    const garbled = new Client();
    garbled.write('no JSON\n');
    expect((await garbled.takeLine<Welcome>()).error?.code).toBe('ERR_BRIDGE_MESSAGE');
    for (const [file, text] of [
      [fileOf('short', 10), 'has 10 bytes, expected'],
      [join(folder, 'absent'), 'cannot open the shared file: ENOENT'],
      [3, 'the second line must be { file, remove }'],
    ] as const) {
      const client = new Client();
      client.line(request);
      await client.takeLine();
      client.line({ file, remove: false });
      client.line({ ready: true });
      expect((await client.takeLine<Welcome>()).error?.message).toContain(text);
      expect((await client.end()).code).toBe(2);
    }
  });

  it('ends with a line on stderr where a message is none, or breaks off', async () => {
    for (const [bytes, text] of [
      [message(9, 0, new Int32Array(2)), 'message kind 9 is unknown'],
      [message(1, 2, new Int32Array(1)), 'the input has ended within a message, after 12 bytes'],
      // The engine's own refusal: nobody has reset.
      [message(1, 2, new Int32Array(2)), 'step() before reset()'],
    ] as const) {
      const { client } = await greeted('broken');
      client.write(bytes);
      const { code, stderr } = await client.end();
      expect([code, stderr.trim().split('\n')]).toEqual([2, [expect.stringContaining(text)]]);
    }
  });
});
