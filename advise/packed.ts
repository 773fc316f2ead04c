// Requests and answers as bytes: what is hashed, put on record, and handed to another thread.

import { Packr } from 'msgpackr';
import { sha256 } from './policies.js';
import type { RecommendRequest } from './request.js';

// A member called toJSON is what somebody sent, no function of ours.
const packr = new Packr({ useRecords: true, useToJSON: false });

/** A request or an answer as MessagePack. */
export function pack(value: object): Uint8Array {
  return packr.pack(value);
}

/** What `pack` packed. @throws Error if the bytes are no MessagePack */
export function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

/** SHA-256 of a request as it is stored. */
export function hashOf(request: RecommendRequest): string {
  return sha256(pack(request));
}
