// What the two sides say to each other before and while they step. First lines of JSON, then messages of numbers. The Python side
// of it is python/fleetstep/connection.py.
//
//   client                                   server
//   { hello: HELLO, protocol, version, scenario, ... }
//                                            { protocol, version, spaces, fields, bytes, ... }  or  { error }
//   { file, remove }
//   (makes the file, full size, and maps it)
//   { ready: true }
//                                            (opens it; its name goes, where it has one)
//                                            { ready: true }
//   messages: int32 kind, int32 count, numbers
//                                            one byte: a `Reply`; after `failed` and `told` an int32 length and JSON
//   end of file                              ends
//
// All numbers are little-endian, as on every machine that Node.js runs on.

import { endianness } from 'node:os';
import { OptionCheck, observationKinds, splits } from '../engine/index.js';
import type { AutoresetMode, ObservationKind, Split } from '../engine/index.js';
import { BridgeError } from './errors.js';

/** Number of this protocol: both sides must have the same. */
export const PROTOCOL = 1;

/** First member of the first line, so that any other program's line is told apart. */
export const HELLO = 'fleetstep env-server';

/** Kinds of messages. */
export const Message = {
  /** `[numEnvs]` int32: the actions. */
  step: 1,
  /** `[numEnvs]` float64: for each environment a seed, `GO_ON`, or `LEAVE`. */
  reset: 2,
  /** A float64 seed, then `count` times the actions of a step: all of them are played at once, and timed. */
  replay: 3,
} as const;

/** In place of a seed: the next episode of the seed that the environment has. */
export const GO_ON = -1;
/** In place of a seed: this environment is not reset. */
export const LEAVE = -2;

/** First byte of an answer. */
export const Reply = { done: 0, ended: 1, failed: 2, told: 3 } as const;

/** What the client asks for, checked. */
export interface Request {
  readonly scenario: string | Readonly<Record<string, unknown>>;
  readonly data: string | undefined;
  readonly numEnvs: number;
  readonly firstEnv: number;
  readonly observation: ObservationKind;
  readonly autoresetMode: AutoresetMode;
  readonly split: Split;
  readonly pairs: boolean;
}

const autoresetModes: readonly AutoresetMode[] = ['SAME_STEP', 'NEXT_STEP', 'DISABLED'];
const members = [
  ...['hello', 'protocol', 'version', 'scenario', 'data', 'numEnvs', 'firstEnv'],
  ...['observation', 'autoresetMode', 'split', 'pairs'],
];

const check = new OptionCheck((message) => new BridgeError('ERR_BRIDGE_REQUEST', message));

/**
 * Checks the client's first line.
 * @param version of this package
 * @throws BridgeError `ERR_BRIDGE_VERSION` for a client that does not belong to this server, `ERR_BRIDGE_REQUEST` for what it asks for
 */
export function checkRequest(candidate: unknown, version: string): Request {
  const given = (typeof candidate === 'object' && candidate !== null ? candidate : {}) as Record<string, unknown>;
  if (given['hello'] !== HELLO) {
    throw new BridgeError(
      'ERR_BRIDGE_REQUEST',
      `the first line is no request of the Python package: it must be one JSON object with hello: "${HELLO}"`,
    );
  }
  if (given['protocol'] !== PROTOCOL || !isSameRelease(String(given['version']), version)) {
    throw new BridgeError(
      'ERR_BRIDGE_VERSION',
      `the Python package is version ${String(given['version'])} (protocol ${String(given['protocol'])}), the engine ${version} (protocol ${PROTOCOL}): install the same version of both`,
    );
  }
  if (endianness() !== 'LE') throw new BridgeError('ERR_BRIDGE_VERSION', 'this machine is not little-endian');
  check.members(
    'the request',
    given,
    members,
    members.filter((name) => name !== 'data'),
  );
  const { scenario, data, numEnvs, firstEnv, observation, autoresetMode, split, pairs } = given;
  if (typeof scenario !== 'string' && (typeof scenario !== 'object' || scenario === null || Array.isArray(scenario))) {
    throw new BridgeError('ERR_BRIDGE_REQUEST', 'scenario must be a name, the path of a .json file, or an object');
  }
  if (data !== undefined && data !== null && typeof data !== 'string') {
    throw new BridgeError('ERR_BRIDGE_REQUEST', 'data must be a path');
  }
  check.whole('numEnvs', numEnvs, 1, 1_000_000);
  check.whole('firstEnv', firstEnv, 0);
  check.oneOf('observation', observation, observationKinds);
  check.oneOf('autoresetMode', autoresetMode, autoresetModes);
  check.oneOf('split', split, splits);
  if (typeof pairs !== 'boolean') throw new BridgeError('ERR_BRIDGE_REQUEST', 'pairs must be true or false');
  return { scenario, data: data ?? undefined, numEnvs, firstEnv, observation, autoresetMode, split, pairs } as Request;
}

/** Versions that differ in their last number alone go together. */
function isSameRelease(theirs: string, ours: string): boolean {
  const release = (version: string): string => version.split('.').slice(0, 2).join('.');
  return release(theirs) === release(ours);
}
