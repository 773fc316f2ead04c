// For files of tests that compute for long, in lines that others run as well: what they run is not counted, as counting takes a process
// half its time again. Import this before what is not to be counted.

import { afterAll } from 'vitest';

const hooks = globalThis as { [name: symbol]: (() => void) | undefined };

hooks[Symbol.for('fleetstep.countNoLines')]?.();
afterAll(() => hooks[Symbol.for('fleetstep.countLines')]?.());
