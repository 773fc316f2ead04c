// Policies that come with the package play as their cards say, on this machine too.

import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadPolicies } from '#cli/policies.js';
import { compileScenario, preset } from '#engine/index.js';
import { policyRoutes } from '#serve/policy-routes.js';
import { policyOf, readCheckpoint, shippedCard, shippedFolder, shippedNames, weightsSha256 } from '#train/index.js';
import { evaluatePolicies } from '#workers/index.js';

const names = shippedNames();

describe('policies that come with the package', () => {
  it('are there, small, and read by their names', () => {
    expect(names).toContain('geneva-distilled');
    for (const name of names) {
      const folder = shippedFolder(name)!;
      const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
      expect(bytes).toBeLessThan(1 << 20);
      expect(readCheckpoint(name)).toEqual(readCheckpoint(folder));
    }
    expect(shippedFolder('../models/geneva-distilled')).toBeNull();
    expect(shippedCard('nobody')).toBeNull();
    expect(() => readCheckpoint('nobody')).toThrow(/policies by name are .*geneva-distilled/);
  });

  it.each(names)('%s has a card that is about these weights, and replays to the bit', async (name) => {
    const card = shippedCard(name)!;
    const checkpoint = readCheckpoint(name);
    expect(weightsSha256(checkpoint.state.weights)).toBe(card.weightsSha256);
    // Its scenario is still the built-in one of that name.
    expect(checkpoint.scenario).toEqual(compileScenario(preset(card.scenario)).scenario);
    const { episodes, meanReturn } = card.replay;
    const [evaluation] = await evaluatePolicies({
      compiled: compileScenario(preset(card.scenario)),
      policies: [policyOf(checkpoint, name)],
      split: 'validation',
      episodes,
      seed: 1,
      workers: 1,
    });
    expect(evaluation.meanReturn).toBe(meanReturn);
    // A gate that was not passed is no reason to ship.
    expect(card.gates.map(({ split, verdict }) => [split, verdict])).toEqual([
      ['validation', 'pass'],
      ['test', 'pass'],
    ]);
    for (const { baseline, entries, differences } of card.gates) {
      expect(entries[0].policy).toBe(name);
      expect(differences[0]).toMatchObject({ policy: name, against: baseline });
      expect(differences[0].low).toBeGreaterThan(0);
    }
  });

  it('are served as they were shipped where the command runs beside a run of the same name', async () => {
    const other = shippedFolder('geneva-live-distilled')!;
    const here = process.cwd();
    const folder = mkdtempSync(join(tmpdir(), 'fleetstep-shipped-'));
    try {
      cpSync(other, join(folder, 'geneva-distilled'), { recursive: true });
      process.chdir(folder);
      const { networks } = await loadPolicies({ scenario: 'geneva' });
      const { weights, training } = networks.find(({ name }) => name === 'geneva-distilled')!;
      const card = shippedCard('geneva-distilled')!;
      expect([weightsSha256(weights), training['card']]).toEqual([card.weightsSha256, card]);
      // Asked for as a run it is the run, and the card is not its own.
      const asked = await loadPolicies({ scenario: 'geneva', run: ['geneva-distilled'] });
      expect(asked.default.name).toBe('geneva-distilled');
      expect(weightsSha256(asked.networks[0].weights)).not.toBe(card.weightsSha256);
      expect(asked.networks[0].training['card']).toBeUndefined();
    } finally {
      process.chdir(here);
      rmSync(folder, { recursive: true });
    }
  });

  it('are served beside the rules, and described with their cards', async () => {
    const policies = await loadPolicies({ scenario: 'geneva' });
    expect(policies.default.name).toBe('planner');
    expect(policies.all.map(({ name }) => name)).toEqual(expect.arrayContaining([...names]));
    const route = policyRoutes(policies).find(({ path }) => path === '/v1/policies/:name')!;
    const described = await route.handle({ params: { name: 'geneva-distilled' } } as never);
    expect(described).toMatchObject({ name: 'geneva-distilled', training: { card: shippedCard('geneva-distilled') } });
  });
});
