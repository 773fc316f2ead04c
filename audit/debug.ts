// What happens between us and the database, for an operator who looks: NODE_DEBUG=fleetstep:audit writes it on stderr. Lines name
// hosts, roles, times and counts; no password, no person, no content of an action.

import { debuglog } from 'node:util';

/** Writes a line if NODE_DEBUG names `fleetstep:audit`; takes a format and values as `util.format` does. */
export const debug: (format: string, ...values: unknown[]) => void = debuglog('fleetstep:audit');
