// Lines for an operator who looks for the cause of something: with NODE_DEBUG=fleetstep:serve they go to stderr. They tell start and
// end, shed requests, fallbacks, deadlines and the database; never bodies, tokens or addresses.

import { debuglog } from 'node:util';

/** Writes a line, formatted as by `util.format`, where NODE_DEBUG contains `fleetstep:serve`. `debug.enabled` says whether it does. */
export const debug: ReturnType<typeof debuglog> = debuglog('fleetstep:serve');
