// Where the real trips lie, if they are here: beside the checkout, or where FLEETSTEP_NYC_AMOD says. In CI they must be here, unless
// FLEETSTEP_SHARED=absent says that this machine has none, as a fork's: tests that need them are then skipped, loudly.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

export const nycAmod: string =
  process.env['FLEETSTEP_NYC_AMOD'] ?? fileURLToPath(new URL('../../../shared/data/nyc-amod', import.meta.url));

const mustBeHere = process.env['CI'] === 'true' && process.env['FLEETSTEP_SHARED'] !== 'absent';

const present = existsSync(nycAmod);
if (!present) {
  if (mustBeHere) {
    throw new Error(
      `no trips at ${nycAmod}: in CI these tests must run; where there can be none, set FLEETSTEP_SHARED=absent`,
    );
  }
  console.warn(
    `SKIPPED: tests on real trips, as there are none at ${nycAmod} (set FLEETSTEP_NYC_AMOD to a clone of HybridMADRL-AMoD)`,
  );
}

/** A group of tests that needs the real trips. */
export const describeWithTrips = describe.skipIf(!present);

/** What the paper's own greedy program printed; it lies beside the shared trips, not in a clone of the benchmark. */
export const greedyRewards: string = join(nycAmod, 'nyc-amod-greedy-validation.csv');
const withRewards = present && existsSync(greedyRewards);
if (present && !withRewards) {
  if (mustBeHere) throw new Error(`no ${greedyRewards}: in CI this test must run; or set FLEETSTEP_SHARED=absent`);
  console.warn(`SKIPPED: the comparison with the paper's greedy program, as there is no ${greedyRewards}`);
}
export const describeWithGreedyRewards = describe.skipIf(!withRewards);
