// Where the real trips lie, if they are here: beside the checkout, or where FLEETSTEP_NYC_AMOD says.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

export const nycAmod: string =
  process.env['FLEETSTEP_NYC_AMOD'] ?? fileURLToPath(new URL('../../../shared/data/nyc-amod', import.meta.url));

const present = existsSync(nycAmod);
if (!present) {
  if (process.env['CI'] === 'true') throw new Error(`no trips at ${nycAmod}: in CI these tests must run`);
  console.warn(
    `SKIPPED: tests on real trips, as there are none at ${nycAmod} (set FLEETSTEP_NYC_AMOD to a clone of HybridMADRL-AMoD)`,
  );
}

/** A group of tests that needs the real trips. */
export const describeWithTrips = describe.skipIf(!present);
