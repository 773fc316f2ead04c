// What a check finds wrong: the words in which every part of the proof says so. It knows nothing of chains or tables.

/** Something that is not as it was written, or not as this version ships it. */
export interface Finding {
  /** Id of an action, or what else is not as it should be. */
  readonly what: number | string;
  /** What is wrong with it. */
  readonly reason: string;
  /** What it should be, and what it is, where that can be told in a line. */
  readonly expected?: string;
  readonly actual?: string;
  /** The company that it belongs to; absent for what belongs to all of them. */
  readonly companyId?: number;
}

/** A finding before it is known where it lies. */
export type Fault = Pick<Finding, 'reason' | 'expected' | 'actual'>;

/** A fault with its reason; with what it should be and what it is, if either is given. */
export function fault(reason: string, expected?: unknown, actual?: unknown): Fault {
  return expected === undefined && actual === undefined
    ? { reason }
    : { reason, expected: told(expected), actual: told(actual) };
}

/** The beginning of a hash in hex, 16 digits: enough to tell it from another. */
export function short(hash: string): string {
  return hash.slice(0, 16);
}

function told(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
