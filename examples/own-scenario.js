// A scenario of one's own: Geneva's town with another fleet and an evening, written down as a file that the command line takes
// too. Compares the fleet's sizes. Run it after a build: node examples/own-scenario.js

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScenario } from 'fleetstep/trips';
import { defaultWorkers, evaluatePolicies } from 'fleetstep/workers';

const HOUR = 3600;
const folder = mkdtempSync(join(tmpdir(), 'own-scenario-'));
try {
  for (const drivers of [4, 8, 16]) {
    // What is not named is as in the scenario that it extends, member by member.
    const evening = {
      extends: 'geneva-live',
      name: `evening-${drivers}`,
      drivers,
      startSecondOfDay: 17 * HOUR,
      horizonSeconds: 5 * HOUR,
      demand: { bookingsPerArrival: [2, 4] },
    };
    const file = join(folder, `${evening.name}.json`);
    writeFileSync(file, JSON.stringify(evening));

    // The same file: fleetstep train --scenario evening-8.json
    const compiled = loadScenario({ scenario: file });
    const [planner] = await evaluatePolicies({
      compiled,
      policies: [{ kind: 'heuristic', name: 'planner' }],
      split: 'validation',
      episodes: 50,
      seed: 1,
      workers: defaultWorkers,
    });
    const { kpis, meanReturn, halfWidth } = planner;
    const served = `${(100 * kpis.serviceRate).toFixed(1)}% served`;
    console.log(`${drivers} drivers: ${served}, mean return ${meanReturn.toFixed(0)} ± ${halfWidth.toFixed(0)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
