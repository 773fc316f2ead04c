// A log of files read and written, for finding faults: `NODE_DEBUG=fleetstep:trips` writes it to stderr.

import { debuglog } from 'node:util';

/** Writes one line if `NODE_DEBUG` asks for this room; else it does nothing. */
export const log: (message: string, ...values: readonly unknown[]) => void = debuglog('fleetstep:trips');
