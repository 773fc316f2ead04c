// After each file of tests: writes what its process has run, if lines are being counted (scripts/count-process.js). A process of
// tests does not end by itself, so it would not be written at its end.

import { takeCoverage } from 'node:v8';
import { afterAll } from 'vitest';

const hooks = globalThis as { [name: symbol]: (() => void) | undefined };

afterAll(() => (hooks[Symbol.for('fleetstep.writeLines')] ?? takeCoverage)());
