// Authentication. Tokens are JWTs, signed with a key of the key file. The service sets algorithm, issuer and audience, never the
// token (RFC 8725). The file is a JWK set: keys are added and removed by `kid` while the service runs. A file that cannot be
// read, or holds no valid keys, revokes all keys, because whoever emptied or moved it may have meant to revoke them.

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

/** Roles of a token, the one with most rights first. */
export const roles = ['admin', 'dispatcher', 'viewer'] as const;
/** One of `roles`. */
export type Role = (typeof roles)[number];

/** Who sent a request, as its token says. */
export interface Caller {
  /** The token's subject: an account's name or number, see `isSubject`. */
  readonly subject: string;
  /** What the caller may do. */
  readonly role: Role;
  /** The company that the token is limited to; null for an admin of all companies. */
  readonly companyId: number | null;
}

/** Required value of the claim `iss`. */
export const ISSUER = 'fleetstep';
/** Required value of the claim `aud`. */
export const AUDIENCE = 'fleetstep-api';
/** Accepted signature algorithms. */
export const algorithms = ['HS256', 'EdDSA'] as const;
/** One of `algorithms`. */
export type Algorithm = (typeof algorithms)[number];

/** Characters; longer tokens are refused unread. */
const LONGEST_TOKEN = 4096;
/** Milliseconds for which a verified token is cached; a token that expires earlier is dropped earlier. */
const TRUST_MS = 60_000;
/** Default milliseconds between two checks of the key file. */
const REREAD_MS = 2000;
/** Seconds by which the issuer's clock may be ahead of this one. */
const LEEWAY = 5;
/** Seconds since 1970 in the year 5138: a larger value is in milliseconds. */
const LATEST = 1e11;
/**
 * Subjects as identity providers give them: names, e-mail addresses, `auth0|64ab`, UUIDs, `urn:...`, distinguished names.
 * No control or invisible characters, no blanks at the ends.
 */
const SUBJECT = /^[\p{L}\p{M}\p{N}\p{P}\p{S}](?:[\p{L}\p{M}\p{N}\p{P}\p{S} ]{0,198}[\p{L}\p{M}\p{N}\p{P}\p{S}])?$/u;

/** What `SUBJECT` allows, for messages. */
const SUBJECT_RULE = '1 to 200 characters, no control or invisible ones, and no blanks at the ends';
/** Entries of the cache of verified tokens. */
const MOST_VERIFIED = 10_000;

/** A key of the file. */
interface Key {
  readonly alg: Algorithm;
  readonly verify: CryptoKey | Uint8Array;
  /** Absent where only the public half is known. */
  readonly sign: CryptoKey | Uint8Array | null;
}

/** A verified token. */
interface Verified {
  readonly caller: Caller;
  /** Claim `exp`: seconds since 1970. */
  readonly expires: number;
  /** End of the cache's trust, on the clock of `performance`. */
  readonly until: number;
}

/** The keys of a key file: verifies tokens, issues tokens for development, and follows changes of the file. */
export class KeyRing {
  readonly #file: string;
  readonly #report: (message: string) => void;
  readonly #rereadMs: number;
  #keys = new Map<string, Key>();
  /** Identifies the state of the file whose keys are in use; empty if none are. */
  #version = '';
  /** Set after the first successful read: from then on, faults of the file are reported and not thrown. */
  #opened = false;
  /** The fault last reported; empty if the file is valid. */
  #fault = '';
  #checkedAt = -Infinity;
  #verified = new Map<string, Verified>();
  #reading: Promise<void> | null = null;

  /**
   * @param file     path of a JWK set; each key has `kid` and `alg`
   * @param report   called once per change: when the file becomes invalid and revokes all keys, and when it is valid again
   * @param rereadMs minimum milliseconds between two checks of the file; default 2,000
   */
  constructor(file: string, report: (message: string) => void = (): void => undefined, rereadMs: number = REREAD_MS) {
    this.#file = file;
    this.#report = report;
    this.#rereadMs = rereadMs;
  }

  /**
   * Verifies a token.
   * @throws ServeError `ERR_UNAUTHENTICATED`; the message names a wrong claim only if the signature is valid
   */
  async callerOf(token: string): Promise<Caller> {
    const now = performance.now();
    if (now - this.#checkedAt > this.#rereadMs) await this.#reread(now);
    const known = this.#verified.get(token);
    if (known !== undefined && known.until > now && known.expires > Date.now() / 1000) return known.caller;
    if (token.length > LONGEST_TOKEN) throw refused();
    // If the keys are replaced while this token is verified, its result goes into the old cache, which nobody reads again.
    const verified = this.#verified;
    let payload;
    try {
      const { kid, alg } = decodeProtectedHeader(token);
      const key = typeof kid === 'string' ? this.#keys.get(kid) : undefined;
      if (key === undefined || key.alg !== alg) throw refused();
      ({ payload } = await jwtVerify(token, key.verify, {
        algorithms: [key.alg],
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
    const expires = expiryOf(payload);
    const { sub, role, company } = payload as { sub?: unknown; role?: unknown; company?: unknown };
    const knownRole = roles.find((one) => one === role);
    const companyId = company === undefined || company === null ? null : company;
    if (typeof sub !== 'string' || !isSubject(sub)) {
      throw refused(`its sub must have ${SUBJECT_RULE}`);
    }
    const sound =
      knownRole !== undefined &&
      (companyId === null ? knownRole === 'admin' : Number.isSafeInteger(companyId) && (companyId as number) > 0);
    if (!sound) throw refused();
    const caller: Caller = { subject: sub, role: knownRole, companyId: companyId as number | null };
    // The oldest entry is dropped first. Tokens with an invalid signature never get here.
    if (verified.size >= MOST_VERIFIED) {
      for (const oldest of verified.keys()) {
        verified.delete(oldest);
        break;
      }
    }
    verified.set(token, { caller, expires, until: now + TRUST_MS });
    return caller;
  }

  /**
   * Issues a token for development, signed with the newest private key of the file.
   * @param seconds until it expires
   * @throws ServeError `ERR_SERVICE` if the subject is not allowed, or the file has no private key
   */
  async issue(caller: Caller, seconds: number): Promise<string> {
    if (!isSubject(caller.subject)) {
      throw new ServeError('ERR_SERVICE', `the subject is ${JSON.stringify(caller.subject)}: expected ${SUBJECT_RULE}`);
    }
    await this.#reread(performance.now());
    const [kid, alg, key] = [...this.#keys]
      .map(([id, one]) => [id, one.alg, one.sign] as const)
      .findLast(([, , sign]) => sign !== null) ?? [undefined, undefined, null];
    if (kid === undefined || key === null) {
      throw new ServeError(
        'ERR_SERVICE',
        `${this.#file} has no private key to sign with: add one with member "d" or "k"`,
      );
    }
    return new SignJWT({ role: caller.role, ...(caller.companyId === null ? {} : { company: caller.companyId }) })
      .setProtectedHeader({ alg, kid, typ: 'JWT' })
      .setSubject(caller.subject)
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(key);
  }

  /** Reads the key file for the first time. @throws ServeError `ERR_SERVICE` if it is missing or invalid */
  async open(): Promise<void> {
    await this.#reread(performance.now());
    this.#opened = true;
  }

  async #reread(now: number): Promise<void> {
    this.#checkedAt = now;
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    return this.#reading;
  }

  /** Replaces the keys if the file has changed. Tokens of removed keys are refused from then on. */
  async #read(): Promise<void> {
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(this.#file);
      const version = [mtimeMs, ctimeMs, size, ino].join();
      if (version === this.#version) return;
      this.#keys = await keysOf(this.#file);
      this.#version = version;
      this.#verified = new Map();
      if (this.#fault !== '') this.#report(`${this.#file} is valid again: tokens signed with its keys are accepted`);
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
      this.#verified = new Map();
      if (this.#fault !== error.message) this.#report(`every token is refused: ${error.message}`);
      this.#fault = error.message;
    }
  }
}

/** @param why is for callers whose token has a valid signature */
function refused(why?: string): ServeError {
  return new ServeError('ERR_UNAUTHENTICATED', `the token is not valid${why === undefined ? '' : `: ${why}`}`);
}

function expired(): ServeError {
  return new ServeError('ERR_UNAUTHENTICATED', 'the token has expired: get a new one');
}

/** Whether a text may be the subject of a token: 1 to 200 characters, no control or invisible ones, no blanks at the ends. */
export function isSubject(text: string): boolean {
  // In UTF-16 units, as the audit record counts them.
  return text.length <= 200 && SUBJECT.test(text);
}

/**
 * Checks the times of a token beyond what the library does, which accepts milliseconds and an `iat` in the future.
 * @returns `exp`, in seconds since 1970 @throws ServeError
 */
function expiryOf({ exp, iat, nbf }: JWTPayload): number {
  for (const [name, value] of Object.entries({ exp, iat, nbf })) {
    if (value !== undefined && value >= LATEST) {
      throw refused(`its ${name} is ${value}: expected seconds since 1970, not milliseconds`);
    }
  }
  const now = Date.now() / 1000;
  if (exp === undefined || iat === undefined) throw refused();
  if (exp <= now) throw expired();
  if (iat > now + LEEWAY) throw refused('its iat is in the future: compare the clocks');
  return exp;
}

async function keysOf(file: string): Promise<Map<string, Key>> {
  const set = setOf(file);
  const list = Array.isArray(set['keys']) ? (set['keys'] as (JWK | null)[]) : [];
  const keys = new Map<string, Key>();
  for (const [k, jwk] of list.entries()) {
    const alg = algorithms.find((one) => one === jwk?.alg);
    if (typeof jwk?.kid !== 'string' || alg === undefined || keys.has(jwk.kid)) {
      throw new ServeError('ERR_SERVICE', `${file}: keys[${k}] needs a unique "kid" and "alg" HS256 or EdDSA`);
    }
    if (alg === 'HS256') {
      const bytes = Buffer.from(jwk.k ?? '', 'base64url');
      if (jwk.kty !== 'oct' || bytes.length < 32) {
        throw new ServeError(
          'ERR_SERVICE',
          `${file}: keys[${k}].k has ${bytes.length} bytes: HS256 needs 32 or more, and "kty" must be "oct"`,
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
 * Adds a new private key to a key file, which is created if it is missing, with mode 0600. The file is replaced atomically: a
 * service that reads it sees the old keys or the new ones.
 * @param alg default EdDSA
 * @returns the key's `kid`
 * @throws ServeError `ERR_SERVICE` if the file is not a JWK set
 */
export function addKey(file: string, alg: Algorithm = 'EdDSA'): string {
  const keys = existsSync(file) ? (setOf(file)['keys'] ?? []) : [];
  if (!Array.isArray(keys)) throw new ServeError('ERR_SERVICE', `${file} is not a JWK set: expected {"keys": [...]}`);
  const kid = `${new Date().toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`;
  const jwk: JWK =
    alg === 'HS256'
      ? { kty: 'oct', k: randomBytes(32).toString('base64url') }
      : generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const text = `${JSON.stringify({ keys: [...(keys as JWK[]), { ...jwk, kid, alg }] }, null, 2)}\n`;
  mkdirSync(dirname(file), { recursive: true });
  // Through a symbolic link, its target is replaced.
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
    // Errors of the file system are reported as they are.
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ServeError('ERR_SERVICE', `${file} is not JSON: expected a JWK set {"keys": [...]}`, { cause });
  }
  if (typeof set !== 'object' || set === null || Array.isArray(set)) {
    throw new ServeError('ERR_SERVICE', `${file} is not a JWK set: expected {"keys": [...]}`);
  }
  return set as Record<string, unknown>;
}
