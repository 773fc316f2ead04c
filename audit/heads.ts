// Signed heads: where each chain stood at a moment, signed with Ed25519, kept outside the database. Each line of the file
// is one moment, so that a later truncation cannot be passed off as the whole.

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Connection } from './connection.js';
import { databaseError } from './database.js';
import { AuditError } from './errors.js';

export interface SignedHead {
  readonly companyId: number;
  readonly seq: number;
  /** Of the entry `seq`, in hex. */
  readonly hash: string;
}

/** One line of the file. The signature covers the UTF-8 text of `JSON.stringify({ at, heads })`. */
interface Line {
  /** ISO 8601 */
  readonly at: string;
  readonly heads: readonly SignedHead[];
  /** Base64 */
  readonly signature: string;
}

/**
 * The private key in `file` (PEM, PKCS 8); a new one is made if there is none, with its public half in `<file>.pub`.
 * @throws AuditError `ERR_HEADS` for a file that holds no Ed25519 key
 */
export function signingKey(file: string): KeyObject {
  if (!existsSync(file)) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
    writeFileSync(`${file}.pub`, publicKey.export({ type: 'spki', format: 'pem' }));
    return privateKey;
  }
  return keyFrom(file, createPrivateKey);
}

function keyFrom(file: string, parse: (pem: string) => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new AuditError('ERR_HEADS', `${file} cannot be read as a key: ${(cause as Error).message}`, { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new AuditError('ERR_HEADS', `${file} holds a key of type ${String(key.asymmetricKeyType)}, expected ed25519`);
  }
  return key;
}

/**
 * Appends a line with the heads as they are now, flushed to the disk; gives them. Decisions of the hour under way go on
 * the ledger first, so that what is signed speaks of them, too.
 */
export async function exportHeads(connection: Connection, file: string, key: KeyObject): Promise<SignedHead[]> {
  let heads: SignedHead[];
  let at: string;
  try {
    await connection`select audit_seal_decisions()`;
    const rows = await connection<{ companyId: number; seq: number; hash: string; at: Date }[]>`
      select company_id as "companyId", seq, encode(hash, 'hex') as hash, clock_timestamp() as at
      from audit_head order by company_id`;
    at = (rows.at(0)?.at ?? new Date()).toISOString();
    heads = rows.map(({ companyId, seq, hash }) => ({ companyId, seq, hash }));
  } catch (error) {
    throw databaseError(error);
  }
  const line: Line = { at, heads, signature: sign(null, signedBytes(at, heads), key).toString('base64') };
  mkdirSync(dirname(file), { recursive: true });
  const handle = openSync(file, 'a', 0o644);
  try {
    writeSync(handle, `${JSON.stringify(line)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return heads;
}

/** @throws AuditError `ERR_HEADS` for a file that holds no Ed25519 key */
export function readPublicKey(file: string): KeyObject {
  return keyFrom(file, createPublicKey);
}

/**
 * All heads of a file whose every line carries a valid signature.
 * @throws AuditError `ERR_HEADS` naming the line that does not
 */
export function readHeads(file: string, publicKeyFile: string): SignedHead[] {
  const key = readPublicKey(publicKeyFile);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AuditError('ERR_HEADS', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length === 0) throw new AuditError('ERR_HEADS', `${file} holds no heads`);
  return lines.flatMap((line, k) => {
    try {
      const { at, heads, signature } = JSON.parse(line) as Line;
      if (verify(null, signedBytes(at, heads), key, Buffer.from(signature, 'base64'))) return heads;
    } catch {
      // Told below, with its number.
    }
    throw new AuditError('ERR_HEADS', `${file}, line ${k + 1}: no valid signature of ${publicKeyFile}`);
  });
}

function signedBytes(at: string, heads: readonly SignedHead[]): Buffer {
  const canonical = heads.map(({ companyId, seq, hash }) => ({ companyId, seq, hash }));
  return Buffer.from(JSON.stringify({ at, heads: canonical }));
}
