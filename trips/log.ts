// Which files this room reads and writes, for whoever looks for a fault: `NODE_DEBUG=fleetstep:trips` writes it to stderr.

import { debuglog } from 'node:util';

/** Writes one line if `NODE_DEBUG` asks for this room; else it does nothing. */
export const log: (message: string, ...values: readonly unknown[]) => void = debuglog('fleetstep:trips');
