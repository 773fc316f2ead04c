// Look-ahead as a policy of the service: within its time, on record, and the same again.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileScenario, preset } from '#engine/index.js';
import { answerProps, checkRequest, Policies, Recommender } from '#advise/index.js';
import type { Answer, TrainedNetwork } from '#advise/index.js';
import { Background } from '#serve/index.js';
import { compile } from '#advise/schema.js';
import { checkAnswer } from './support/check-answer.js';
import type { Asked, Given } from './support/check-answer.js';
import { randomRequest } from './support/random-request.js';
import { easyRequest, testService } from './support/service.js';
import type { TestService } from './support/service.js';

const recommender = new Recommender(new Policies(), '0.0.0');
const context = { decisionId: 'd', stateHash: '' };
const patient = { policy: 'lookahead', deadline_ms: 60_000 };

function ask(request: object, replay?: Answer['provenance']): Answer {
  const checked = checkRequest(structuredClone(request));
  return recommender.recommend(checked, replay === undefined ? context : { ...context, replay });
}

/** A state of the morning in Geneva. */
function morning(seed: number): Record<string, unknown> {
  const asOf = 1_763_974_800;
  const at = (k: number): [number, number] => [6.09 + 0.013 * ((k * (6 + seed)) % 8), 46.15 + 0.014 * ((k * 5) % 8)];
  return {
    as_of: asOf,
    vehicles: Array.from({ length: 4 }, (_, id) => ({ id, start: at(id) })),
    shipments: Array.from({ length: 6 }, (_, k) => ({
      id: `s${k}`,
      pickup: { location: at(k + 3), time_windows: [[asOf, asOf + 600 + 300 * (k % 3)]] },
      delivery: { location: at(2 * k) },
    })),
  };
}

describe('look-ahead', () => {
  it('decides otherwise than the rule that it plays on with, and the same again', () => {
    let others = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const answer = ask({ ...morning(seed), ...patient });
      expect(compile(answerProps)(answer)).toBeNull();
      const { fallback, policy, decision_futures: futures } = answer.provenance;
      expect([policy, fallback]).toEqual(['lookahead', null]);
      // Each assignment, and the decision to wait at the end.
      expect(futures).toHaveLength(answer.assignments.length + 1);
      expect(futures.slice(0, -1)).toEqual(answer.assignments.map(() => 8));
      expect(ask({ ...morning(seed), ...patient })).toEqual(answer);
      const hungarian = ask({ ...morning(seed), policy: 'hungarian' });
      const pairs = (one: Answer): string =>
        one.assignments
          .map((a) => [a.shipment, a.vehicle].join())
          .sort()
          .join(' ');
      if (pairs(hungarian) !== pairs(answer)) others++;
    }
    expect(others).toBeGreaterThan(0);
  });

  it('needs one future where no new demand comes up in them', () => {
    const { provenance } = ask({ ...morning(1), as_of: 1_763_974_800, time_zone: 'Asia/Tokyo', ...patient });
    expect(new Set(provenance.decision_futures)).toContain(1);
    expect(Math.max(...provenance.decision_futures)).toBe(1);
  });

  it('gives way at its deadline, says so, and a replay comes to the same, as with any number of futures in between', () => {
    const hurried = ask({ ...morning(1), policy: 'lookahead', deadline_ms: 1 });
    expect(hurried.provenance).toMatchObject({ fallback: { reason: 'deadline' }, decision_futures: [] });
    // The fallback had no time to search, either.
    const turns = { ...hurried.provenance, fallback: null };
    const rule = ask({ ...morning(1), policy: hurried.provenance.fallback!.policy }, turns);
    expect(hurried.assignments).toEqual(rule.assignments);
    expect(ask({ ...morning(1), ...patient }, hurried.provenance)).toEqual(hurried);
    for (const deadline of [5, 20, 40, 80, 160]) {
      const answer = ask({ ...morning(2), policy: 'lookahead', deadline_ms: deadline });
      expect(ask({ ...morning(2), ...patient }, answer.provenance)).toEqual(answer);
    }
    // As if there had been time for two futures first, and for four then.
    const full = ask({ ...morning(3), ...patient });
    const few = ask({ ...morning(3), ...patient }, { ...full.provenance, decision_futures: [2, 4] });
    expect(few.provenance.decision_futures.slice(0, 2)).toEqual([2, 4]);
    expect(ask({ ...morning(3), ...patient }, few.provenance)).toEqual(few);
  });

  it('keeps to all rules, in states of every kind', () => {
    let assigned = 0;
    for (let seed = 1; seed <= 120; seed++) {
      const request = JSON.parse(JSON.stringify({ ...randomRequest(seed, 4), ...patient })) as Asked;
      assigned += checkAnswer(request, ask(request) as unknown as Given);
    }
    expect(assigned).toBeGreaterThan(30);
  });

  it('is listed, and its name is taken', () => {
    expect(recommender.policies.all.map(({ name }) => name)).toContain('lookahead');
    const network: TrainedNetwork = {
      name: 'lookahead',
      shape: { kind: 'pairs', inputs: 1, hidden: [], criticHidden: [], actions: 1 },
      weights: new Float32Array(0),
      observation: 'full',
      compiled: compileScenario(preset('geneva')),
      training: {},
    };
    expect(() => new Policies([network])).toThrow('two policies have the name lookahead');
  });

  it('is computed on another thread, as explanations are', async () => {
    const background = new Background(recommender, 1);
    try {
      const request = checkRequest({ ...morning(1), ...patient });
      const answer = await background.recommend(request, context);
      expect(answer).toEqual(ask({ ...morning(1), ...patient }));
    } finally {
      await background.close();
    }
  });
});

describe('look-ahead over HTTP', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await testService();
  });

  afterAll(async () => {
    await service.close();
  });

  it('is on the list, has a card, answers, and is computed again to the byte', async () => {
    const { body: listed } = await service.call('GET', '/v1/policies');
    expect(listed.policies.map(({ name }: { name: string }) => name)).toContain('lookahead');
    expect((await service.call('GET', '/v1/policies/lookahead')).body).toMatchObject({
      name: 'lookahead',
      kind: 'rule',
    });
    const { status, body } = await service.call('POST', '/v1/recommend', {
      ...easyRequest(service.company),
      policy: 'lookahead',
    });
    expect([status, body.provenance.policy]).toEqual([200, 'lookahead']);
    const again = await service.call('GET', `/v1/decisions/${body.provenance.decision_id}/replay`);
    expect([again.status, again.body.same]).toEqual([200, true]);
  });
});
