// What stands in a chain for entries that were pruned: an entry of kind `pruned`, chained like any other, whose content says
// how many are gone, from when to when, and the hash of the last of them, with which the entry after it goes on. Signed, so
// that whoever holds signed heads of what is gone can tell an orderly prune from a deletion.

import { KeyObject, createPublicKey, sign, verify } from 'node:crypto';

/** What of a company's decisions went with a prune, and what is left. */
export interface PrunedDecisions {
  /** Decisions and events that went with it. */
  readonly rows: number;
  /** Number of the last one that is gone, of those that are numbered, and its hash in hex; 0 and the empty chain's without any. */
  readonly through: number;
  readonly hash: string;
  /** Those from before they were numbered that are left, and their hash in hex, as where they were first bound. */
  readonly unnumbered: { readonly rows: number; readonly hash: string };
}

/**
 * Entries from before a prune's end that stay, as their actions do: of each action that is unfinished, or has an entry after that
 * end. They follow from no entry before them any more; this binds them instead.
 */
export interface KeptEntries {
  /** How many stay, and how many of those that earlier prunes had left were there before. */
  readonly entries: number;
  readonly before: number;
  /** Hash of a chain over them in the order of their numbers, in hex: of each its number, digest and hash. */
  readonly hash: string;
}

/** Content (`detail`) of an entry of kind `pruned`. */
export interface Tombstone {
  readonly by: string;
  /** Everything from before this moment was to go; ISO 8601. */
  readonly before: string;
  /** The first and the last entry that are gone with this prune; those before `from` went with earlier ones. */
  readonly from: number;
  readonly through: number;
  /** Of the entry `through`, in hex, be it gone or kept. */
  readonly hash: string;
  /** How many entries and acts went, and the earliest and latest time of these entries, ISO 8601. */
  readonly entries: number;
  readonly acts: number;
  readonly firstAt: string | null;
  readonly lastAt: string | null;
  readonly decisions: PrunedDecisions | null;
  /** Absent where a version that kept none has pruned. */
  readonly kept?: KeptEntries;
  /** How the company stands at this entry, as in entries of kind `settings`. */
  readonly state?: unknown;
  /** Ed25519 over `tombstoneBytes`, in base64. */
  readonly signature: string;
}

/** Whether the content of an entry can be one: whoever forges may put anything there. */
export function isTombstone(content: unknown): content is Tombstone {
  if (!isRecord(content)) return false;
  const { from, through, hash, entries, signature, decisions, kept } = content;
  return (
    [from, through, entries].every(Number.isSafeInteger) &&
    isHash(hash) &&
    typeof signature === 'string' &&
    (decisions === null ||
      (isRecord(decisions) &&
        Number.isSafeInteger(decisions['through']) &&
        isHash(decisions['hash']) &&
        isRecord(decisions['unnumbered']) &&
        Number.isSafeInteger(decisions['unnumbered']['rows']) &&
        isHash(decisions['unnumbered']['hash']))) &&
    (kept === undefined ||
      (isRecord(kept) && [kept['entries'], kept['before']].every(Number.isSafeInteger) && isHash(kept['hash'])))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** SHA-256 in hex. */
export function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** What is signed: everything but the state, in this order. */
export function tombstoneBytes(companyId: number, stone: Omit<Tombstone, 'signature' | 'state'>): Buffer {
  const { by, before, from, through, hash, entries, acts, firstAt, lastAt, decisions, kept } = stone;
  const rows =
    decisions === null
      ? null
      : [decisions.rows, decisions.through, decisions.hash, decisions.unnumbered.rows, decisions.unnumbered.hash];
  const signed = ['pruned', companyId, by, before, from, through, hash, entries, acts, firstAt, lastAt, rows];
  return Buffer.from(JSON.stringify(kept === undefined ? signed : [...signed, [kept.entries, kept.before, kept.hash]]));
}

/** Ed25519 over `tombstoneBytes`, in base64. */
export function signTombstone(
  companyId: number,
  stone: Omit<Tombstone, 'signature' | 'state'>,
  privateKey: KeyObject,
): string {
  return sign(null, tombstoneBytes(companyId, stone), privateKey).toString('base64');
}

/** Whether `publicKey` (PEM) has signed it. */
export function isSignedBy(companyId: number, stone: Tombstone, publicKey: KeyObject | string | Buffer): boolean {
  const key = publicKey instanceof KeyObject ? publicKey : createPublicKey(publicKey);
  return verify(null, tombstoneBytes(companyId, stone), key, Buffer.from(stone.signature, 'base64'));
}
