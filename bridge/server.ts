// A server of environments for one client in another process, such as Python: it lives as long as its input, and holds no name in any
// folder once both sides have the shared file open.

import { wordToInfinity } from '../files/index.js';
import { loadScenario } from '../trips/index.js';
import { Channel } from './channel.js';
import { Environments } from './environments.js';
import { BridgeError } from './errors.js';
import { Message, PROTOCOL, Reply, checkRequest } from './protocol.js';
import type { Request } from './protocol.js';
import { SharedFile, noticeOf, removeName } from './shared-file.js';

/** What a server is started with. */
export interface EnvServerOptions {
  /** File descriptor that requests come from; nothing else may read it. */
  readonly input: number;
  /** File descriptor that answers go to. */
  readonly output: number;
  /** Version of the package, which the client's must match. */
  readonly version: string;
}

const HEAD = 8;
const SEED = 8;

/**
 * Serves one client until its input ends. It blocks: nothing else runs in this thread meanwhile.
 * @returns whether it ended well; if not, the client has been told why
 * @throws BridgeError `ERR_BRIDGE_MESSAGE` for an input that is no protocol
 */
export function serveEnvironments({ input, output, version }: EnvServerOptions): boolean {
  const channel = new Channel(input, output);
  let environments: Environments;
  let file: SharedFile;
  try {
    const first = channel.readLine();
    if (first === null) return true;
    environments = open(checkRequest(first, version));
    channel.writeLine({ protocol: PROTOCOL, version, ...environments.describe() });
    const opened = openFile(channel, environments.bytes);
    if (opened === null) return true;
    file = opened;
  } catch (error) {
    channel.writeLine({ error: described(error) });
    return false;
  }
  try {
    channel.writeLine({ ready: true });
    serve(channel, environments, file);
    return true;
  } finally {
    file.close();
  }
}

function open({ scenario, data, ...request }: Request): Environments {
  // JSON has no infinity; two fields of scenarios may hold it.
  const given =
    typeof scenario === 'string' ? scenario : (JSON.parse(JSON.stringify(scenario), wordToInfinity) as object);
  const compiled =
    typeof given === 'string'
      ? loadScenario({ scenario: given, data })
      : loadScenario({ scenario: given as Readonly<Record<string, unknown>>, data });
  return new Environments(compiled, { scenario, data, ...request });
}

/** The client says the file's name before it makes the file: whoever is left when the other dies can remove it. */
function openFile(channel: Channel, bytes: number): SharedFile | null {
  const line = channel.readLine();
  if (line === null) return null;
  const notice = noticeOf(line);
  try {
    // Null if the client has ended; it may have made the file.
    return channel.readLine() === null ? null : new SharedFile(notice, bytes);
  } finally {
    removeName(notice);
  }
}

function serve(channel: Channel, environments: Environments, file: SharedFile): void {
  const { numEnvs } = environments;
  const inbox = new Uint8Array(HEAD + 8 * numEnvs);
  const head = new Int32Array(inbox.buffer, 0, 2);
  const actions = new Int32Array(inbox.buffer, HEAD, numEnvs);
  const seeds = new Float64Array(inbox.buffer, HEAD, numEnvs);
  for (;;) {
    const held = channel.read(inbox, 0, HEAD);
    if (held === 0) return;
    const [kind, count] = head;
    if (kind === Message.step) {
      channel.read(inbox, held, HEAD + 4 * numEnvs);
      const ended = environments.step(actions);
      environments.publish(file, ended);
      channel.ring(ended ? Reply.ended : Reply.done);
    } else if (kind === Message.reset) {
      channel.read(inbox, held, HEAD + 8 * numEnvs);
      try {
        environments.reset(seeds);
        environments.publish(file, false);
        channel.ring(Reply.done);
      } catch (error) {
        channel.tell(Reply.failed, described(error));
      }
    } else if (kind === Message.replay) {
      const all = new Uint8Array(HEAD + SEED + 4 * numEnvs * count);
      all.set(inbox.subarray(0, held));
      channel.read(all, held, all.length);
      const [seed] = new Float64Array(all.buffer, HEAD, 1);
      const seconds = environments.replay(seed, new Int32Array(all.buffer, HEAD + SEED));
      environments.publish(file, true);
      channel.tell(Reply.told, { seconds });
    } else {
      throw new BridgeError('ERR_BRIDGE_MESSAGE', `message kind ${kind} is unknown: expected 1 to 3`);
    }
  }
}

function described(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof Error && 'code' in error) return { code: String(error.code), message: error.message };
  throw error;
}
