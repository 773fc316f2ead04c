// Who asks. Tokens are JWTs, signed with a key of the key file; algorithm, issuer and audience are ours to say, never the
// token's (RFC 8725). The file is a JWK set: keys are added and taken away by `kid` while the service runs. A file that cannot
// be read, or holds no sound keys, revokes them all: whoever empties, moves or mistypes it may well mean to.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SignJWT, decodeProtectedHeader, errors, importJWK, jwtVerify } from 'jose';
import type { CryptoKey, JWK, JWTPayload } from 'jose';
import { ServeError } from './errors.js';

export const roles = ['admin', 'dispatcher', 'viewer'] as const;
export type Role = (typeof roles)[number];

export interface Caller {
  /** The token's subject: an account's name or number. */
  readonly subject: string;
  readonly role: Role;
  /** The company that it is limited to; null for an admin of all. */
  readonly companyId: number | null;
}

export const ISSUER = 'fleetstep';
export const AUDIENCE = 'fleetstep-api';
export const algorithms = ['HS256', 'EdDSA'] as const;
export type Algorithm = (typeof algorithms)[number];

/** Longer ones are not looked at. */
const LONGEST_TOKEN = 4096;
/** How long a verified token is believed without looking at its signature again; it may expire earlier. */
const TRUST_MS = 60_000;
const REREAD_MS = 2000;
/** Seconds by which the clock of whoever issues tokens may be ahead of ours. */
const LEEWAY = 5;
/** Seconds of the epoch in the year 5138: whoever is beyond it has counted milliseconds. */
const LATEST = 1e11;
/**
 * Subjects as identity providers give them: names, e-mail addresses, `auth0|64ab`, UUIDs, `urn:...`, distinguished names.
 * No characters that control or hide something, no blanks at the ends.
 */
const SUBJECT = /^[\p{L}\p{M}\p{N}\p{P}\p{S}](?:[\p{L}\p{M}\p{N}\p{P}\p{S} ]{0,198}[\p{L}\p{M}\p{N}\p{P}\p{S}])?$/u;

interface Key {
  readonly alg: Algorithm;
  readonly verify: CryptoKey | Uint8Array;
  /** Absent where only the public half is known. */
  readonly sign: CryptoKey | Uint8Array | null;
}

interface Believed {
  readonly caller: Caller;
  /** Seconds of the epoch. */
  readonly expires: number;
  readonly until: number;
}

export class KeyRing {
  readonly #file: string;
  readonly #report: (message: string) => void;
  readonly #rereadMs: number;
  #keys = new Map<string, Key>();
  /** Of the file whose keys are in use; empty if there are none. */
  #version = '';
  /** It was read at the start: from then on, what is wrong with it is reported and not thrown. */
  #opened = false;
  #fault = '';
  #lookedAt = -Infinity;
  #believed = new Map<string, Believed>();
  #reading: Promise<void> | null = null;

  /**
   * @param file   of a JWK set; each key has `kid` and `alg`
   * @param report is told, once for each change, when the file revokes all keys, and when it is sound again
   * @param rereadMs how often it is looked at, at most
   */
  constructor(file: string, report: (message: string) => void = (): void => undefined, rereadMs: number = REREAD_MS) {
    this.#file = file;
    this.#report = report;
    this.#rereadMs = rereadMs;
  }

  /**
   * Who holds a token.
   * @throws ServeError `ERR_UNAUTHENTICATED`; what is wrong with its claims is said only where its signature is right
   */
  async callerOf(token: string): Promise<Caller> {
    const now = performance.now();
    if (now - this.#lookedAt > this.#rereadMs) await this.#reread(now);
    const known = this.#believed.get(token);
    if (known !== undefined && known.until > now && known.expires > Date.now() / 1000) return known.caller;
    if (token.length > LONGEST_TOKEN) throw refused();
    // Keys may be read anew while this one verifies: then what it finds is not believed any longer.
    const believed = this.#believed;
    let payload;
    try {
      const { kid, alg } = decodeProtectedHeader(token);
      const key = typeof kid === 'string' ? this.#keys.get(kid) : undefined;
      if (key?.alg !== alg) throw refused();
      ({ payload } = await jwtVerify(token, key!.verify, {
        algorithms: [key!.alg],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['exp', 'sub', 'iat'],
        clockTolerance: LEEWAY,
      }));
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw expired();
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') {
        throw refused('its nbf is in the future');
      }
      throw refused();
    }
    checkTimes(payload);
    const { sub, exp, role, company } = payload as { sub?: unknown; exp?: number; role?: unknown; company?: unknown };
    const knownRole = roles.find((one) => one === role);
    const companyId = company === undefined || company === null ? null : company;
    if (typeof sub !== 'string' || !isSubject(sub)) {
      throw refused(
        'its sub must have 1 to 200 characters, none that control or hide something, and no blanks at the ends',
      );
    }
    const sound =
      knownRole !== undefined &&
      (companyId === null ? knownRole === 'admin' : Number.isSafeInteger(companyId) && (companyId as number) > 0);
    if (!sound) throw refused();
    const caller: Caller = { subject: sub, role: knownRole, companyId: companyId as number | null };
    // The oldest go first; an attacker's tokens never get here.
    if (believed.size >= 10_000) believed.delete(believed.keys().next().value!);
    believed.set(token, { caller, expires: exp!, until: now + TRUST_MS });
    return caller;
  }

  /**
   * A token for development.
   * @throws ServeError `ERR_SERVICE` if there is no key to sign with
   */
  async issue(caller: Caller, seconds: number): Promise<string> {
    if (!isSubject(caller.subject)) {
      throw new ServeError(
        'ERR_SERVICE',
        `the subject is ${JSON.stringify(caller.subject)}: expected 1 to 200 characters, none that control or hide something, and no blanks at the ends`,
      );
    }
    await this.#reread(performance.now());
    const [kid, key] = [...this.#keys].findLast(([, { sign }]) => sign !== null) ?? [];
    if (kid === undefined || key === undefined) {
      throw new ServeError('ERR_SERVICE', `${this.#file} has no key to sign with: private keys have "d" or "k"`);
    }
    return new SignJWT({ role: caller.role, ...(caller.companyId === null ? {} : { company: caller.companyId }) })
      .setProtectedHeader({ alg: key.alg, kid, typ: 'JWT' })
      .setSubject(caller.subject)
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(key.sign!);
  }

  /** Reads the keys for the first time. @throws ServeError `ERR_SERVICE` */
  async open(): Promise<void> {
    await this.#reread(performance.now());
    this.#opened = true;
  }

  async #reread(now: number): Promise<void> {
    this.#lookedAt = now;
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    return this.#reading;
  }

  /** Keys that are gone are believed no longer, whatever was signed with them. */
  async #read(): Promise<void> {
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(this.#file);
      const version = [mtimeMs, ctimeMs, size, ino].join();
      if (version === this.#version) return;
      this.#keys = await keysOf(this.#file);
      this.#version = version;
      this.#believed = new Map();
      if (this.#fault !== '') this.#report(`${this.#file} has keys again: tokens that they signed are believed`);
      this.#fault = '';
    } catch (cause) {
      const error =
        cause instanceof ServeError
          ? cause
          : new ServeError('ERR_SERVICE', `cannot read the keys in ${this.#file}: ${(cause as Error).message}`, {
              cause,
            });
      if (!this.#opened) throw error;
      this.#keys = new Map();
      this.#version = '';
      this.#believed = new Map();
      if (this.#fault !== error.message) this.#report(`every token is refused: ${error.message}`);
      this.#fault = error.message;
    }
  }
}

/** @param why for whoever has a right signature */
function refused(why?: string): ServeError {
  return new ServeError('ERR_UNAUTHENTICATED', `the token is not valid${why === undefined ? '' : `: ${why}`}`);
}

function expired(): ServeError {
  return new ServeError('ERR_UNAUTHENTICATED', 'the token has expired: get a new one');
}

export function isSubject(text: string): boolean {
  // Those beyond the first plane count as two wherever a subject goes on record.
  return text.length <= 200 && SUBJECT.test(text);
}

/** Beyond what the library looks at: it knows neither milliseconds nor tokens of tomorrow. @throws ServeError */
function checkTimes({ exp, iat, nbf }: JWTPayload): void {
  for (const [name, value] of Object.entries({ exp, iat, nbf })) {
    if (value !== undefined && value >= LATEST) {
      throw refused(`its ${name} is ${value}: expected seconds since 1970, not milliseconds`);
    }
  }
  const now = Date.now() / 1000;
  if (exp! <= now) throw expired();
  if (iat! > now + LEEWAY) throw refused('its iat is in the future: compare the clocks');
}

async function keysOf(file: string): Promise<Map<string, Key>> {
  const set = setOf(file);
  const list = Array.isArray(set['keys']) ? (set['keys'] as (JWK | null)[]) : [];
  const keys = new Map<string, Key>();
  for (const [k, jwk] of list.entries()) {
    const alg = algorithms.find((one) => one === jwk?.alg);
    if (typeof jwk?.kid !== 'string' || alg === undefined || keys.has(jwk.kid)) {
      throw new ServeError('ERR_SERVICE', `${file}: keys[${k}] needs a "kid" of its own and "alg" HS256 or EdDSA`);
    }
    if (alg === 'HS256') {
      const bytes = Buffer.from(jwk.k ?? '', 'base64url');
      if (jwk.kty !== 'oct' || bytes.length < 32) {
        throw new ServeError(
          'ERR_SERVICE',
          `${file}: keys[${k}] is ${bytes.length} bytes: HS256 needs "k" of 32 or more`,
        );
      }
      const secret = await importJWK(jwk, 'HS256');
      keys.set(jwk.kid, { alg, verify: secret, sign: secret });
    } else {
      const { d, ...open } = jwk;
      const verify = (await importJWK(open, 'EdDSA')) as CryptoKey;
      keys.set(jwk.kid, { alg, verify, sign: d === undefined ? null : await importJWK(jwk, 'EdDSA') });
    }
  }
  if (keys.size === 0)
    throw new ServeError('ERR_SERVICE', `${file} has no keys: add one with "fleetstep token --new-key"`);
  return keys;
}

/**
 * Adds a key to a key file, made if it is missing, readable by its owner alone; gives its `kid`. The file is exchanged as a
 * whole: a service that reads it meets the old keys or the new ones.
 * @throws ServeError `ERR_SERVICE` if the file is no JWK set
 */
export function addKey(file: string, alg: Algorithm = 'EdDSA'): string {
  const keys = existsSync(file) ? (setOf(file)['keys'] ?? []) : [];
  if (!Array.isArray(keys)) throw new ServeError('ERR_SERVICE', `${file} is no JWK set: expected {"keys": [...]}`);
  const kid = `${new Date().toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`;
  const jwk: JWK =
    alg === 'HS256'
      ? { kty: 'oct', k: randomBytes(32).toString('base64url') }
      : generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const text = `${JSON.stringify({ keys: [...(keys as JWK[]), { ...jwk, kid, alg }] }, null, 2)}\n`;
  mkdirSync(dirname(file), { recursive: true });
  // A link stays one.
  const target = existsSync(file) ? realpathSync(file) : file;
  const next = `${target}.${kid}.tmp`;
  try {
    writeFileSync(next, text, { mode: 0o600 });
    chmodSync(next, 0o600);
    renameSync(next, target);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
  return kid;
}

/** @throws ServeError `ERR_SERVICE` */
function setOf(file: string): Record<string, unknown> {
  let set: unknown;
  try {
    set = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    // What cannot be read is another matter than what is there.
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ServeError('ERR_SERVICE', `${file} is no JSON: expected a JWK set {"keys": [...]}`, { cause });
  }
  if (typeof set !== 'object' || set === null || Array.isArray(set)) {
    throw new ServeError('ERR_SERVICE', `${file} is no JWK set: expected {"keys": [...]}`);
  }
  return set as Record<string, unknown>;
}
