// Who asks. Tokens are JWTs, signed with a key of the key file; algorithm, issuer and audience are ours to say, never the
// token's (RFC 8725). The file is a JWK set: keys are added and taken away by `kid` while the service runs.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SignJWT, decodeProtectedHeader, errors, importJWK, jwtVerify } from 'jose';
import type { CryptoKey, JWK } from 'jose';
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
  #keys = new Map<string, Key>();
  #changedAt = -1;
  #lookedAt = -Infinity;
  #believed = new Map<string, Believed>();
  #reading: Promise<void> | null = null;

  /** @param file of a JWK set; each key has `kid` and `alg` */
  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Who holds a token.
   * @throws ServeError `ERR_UNAUTHENTICATED`, without saying more than that it is missing, expired or not valid
   */
  async callerOf(token: string): Promise<Caller> {
    const now = performance.now();
    if (now - this.#lookedAt > REREAD_MS) await this.#reread(now);
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
      }));
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        throw new ServeError('ERR_UNAUTHENTICATED', 'the token has expired: get a new one');
      }
      throw refused();
    }
    const { sub, exp, role, company } = payload as { sub?: unknown; exp?: number; role?: unknown; company?: unknown };
    const knownRole = roles.find((one) => one === role);
    const companyId = company === undefined || company === null ? null : company;
    const sound =
      typeof sub === 'string' &&
      /^[\w.@:+-]{1,100}$/.test(sub) &&
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

  /** Reads the keys; those that are gone are no longer believed, whatever was signed with them. */
  async open(): Promise<void> {
    await this.#reread(performance.now());
  }

  async #reread(now: number): Promise<void> {
    this.#lookedAt = now;
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #read(): Promise<void> {
    let changedAt;
    try {
      changedAt = statSync(this.#file).mtimeMs;
      if (changedAt === this.#changedAt) return;
      this.#keys = await keysOf(this.#file);
    } catch (cause) {
      // A file that is being replaced, or was replaced by a wrong one: the keys that were read hold on.
      if (this.#changedAt >= 0) return;
      if (cause instanceof ServeError) throw cause;
      throw new ServeError('ERR_SERVICE', `cannot read the keys in ${this.#file}: ${(cause as Error).message}`, {
        cause,
      });
    }
    this.#changedAt = changedAt;
    this.#believed = new Map();
  }
}

function refused(): ServeError {
  return new ServeError('ERR_UNAUTHENTICATED', 'the token is not valid');
}

async function keysOf(file: string): Promise<Map<string, Key>> {
  let set: { keys?: unknown };
  try {
    set = JSON.parse(readFileSync(file, 'utf8')) as { keys?: unknown };
  } catch (cause) {
    throw new ServeError('ERR_SERVICE', `${file} is no JSON: expected a JWK set {"keys": [...]}`, { cause });
  }
  const list = Array.isArray(set.keys) ? (set.keys as JWK[]) : [];
  const keys = new Map<string, Key>();
  for (const [k, jwk] of list.entries()) {
    const alg = algorithms.find((one) => one === jwk.alg);
    if (typeof jwk.kid !== 'string' || alg === undefined || keys.has(jwk.kid)) {
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

/** Adds a key to a key file, made if it is missing, readable by its owner alone; gives its `kid`. */
export function addKey(file: string, alg: Algorithm = 'EdDSA'): string {
  const set = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { keys: JWK[] }) : { keys: [] };
  const kid = `${new Date().toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`;
  const jwk: JWK =
    alg === 'HS256'
      ? { kty: 'oct', k: randomBytes(32).toString('base64url') }
      : generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  set.keys.push({ ...jwk, kid, alg });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(set, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
  return kid;
}
