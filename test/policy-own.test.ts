// Policies of somebody's own: what a module may export, that it plays the same everywhere, and that a faulty one is named, with
// the file and the remedy, and never hangs.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Background } from '#serve/index.js';
import { Policies, Recommender, checkRequest } from '#advise/index.js';
import type { Answer } from '#advise/index.js';
import { compileScenario, preset } from '#engine/index.js';
import { loadOwnPolicy, ownPolicy } from '#policy/index.js';
import { evaluatePolicies, simulate, simulateInThread } from '#workers/index.js';
import type { Evaluation, EvaluationRequest } from '#workers/index.js';
import { answerProps } from '#advise/index.js';
import { compile } from '#advise/schema.js';
import { runInProcess } from './support/command.js';
import type { Ended } from './support/command.js';
import { checkAnswer } from './support/check-answer.js';
import type { Given } from './support/check-answer.js';
import { easyRequest } from './support/service.js';

const root = mkdtempSync(join(tmpdir(), 'fleetstep-own-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const compiled = compileScenario({ ...preset('geneva'), horizonSeconds: 3600 });

const fleet = { drivers: [1, 2, 3], bookings: [4, 5, 6] };

/** A module in a file; its name is that of the policy. */
function module(name: string, text: string): string {
  const file = join(root, name);
  writeFileSync(file, text);
  return file;
}

/** The rule "nearest", written without this package. */
const nearestText = `
export default {
  act(world, from, to, actions) {
    for (let e = from; e < to; e++) {
      actions[e] = 0;
      let least = Infinity;
      for (let i = 0; i < world.drivers; i++) {
        for (let j = 0; j < world.slots; j++) {
          const action = 1 + i * world.slots + j;
          if (world.out.actionMasks[e * world.actions + action] === 0) continue;
          const metres = world.approachMetres(e, i, j);
          if (metres < least) { least = metres; actions[e] = action; }
        }
      }
    }
  },
};`;

function evaluated(
  policies: EvaluationRequest['policies'],
  more: Partial<EvaluationRequest> = {},
): Promise<Evaluation[]> {
  return evaluatePolicies({ compiled, policies, split: 'validation', episodes: 30, seed: 1, workers: 2, ...more });
}

describe('a policy of one’s own', () => {
  it('plays as a built-in rule that decides alike, with any number of workers, and alone', async () => {
    const file = module('closest.mjs', nearestText);
    const spec = await ownPolicy(file);
    expect(spec).toMatchObject({ kind: 'module', name: 'closest', observation: 'full' });
    expect(spec.sha256).toBe(createHash('sha256').update(readFileSync(file)).digest('hex'));
    const [ours, rule] = await evaluated([spec, { kind: 'heuristic', name: 'nearest' }]);
    expect(ours.policy).toBe('closest');
    expect(ours.episodes).toEqual(rule.episodes);
    const [one] = await evaluated([spec], { workers: 1 });
    expect(one).toEqual(ours);
    const asked = { compiled, policy: spec, split: 'validation', episode: 27, seed: 1 } as const;
    const inThread = await simulateInThread(asked);
    expect(inThread.return).toBe(ours.episodes[27].return);
    expect(() => simulate(asked)).toThrow(/closest\.mjs is not loaded here: await loadOwnPolicy\(spec\) first/);
    await loadOwnPolicy(spec);
    expect(simulate(asked)).toEqual(inThread);
  });

  it('may be made by a function of the scenario, see the observations that it asks for, and be CommonJS', async () => {
    const factory = module(
      'counted.mjs',
      `export const observation = 'classic';
      export default (scenario) => {
        if (scenario.drivers !== 10 || scenario.name !== 'geneva') throw new Error('another scenario');
        return { act(world, from, to, actions) {
          if (world.observation !== 'classic') throw new Error(world.observation);
          actions.fill(0, from, to);
        } };
      };`,
    );
    const common = module(
      'waiting.cjs',
      'module.exports = { act: (world, from, to, actions) => void actions.fill(0, from, to) };',
    );
    const specs = [await ownPolicy(factory), await ownPolicy(common)];
    expect(specs.map(({ observation }) => observation)).toEqual(['classic', 'full']);
    const [a, b] = await evaluated(specs, { episodes: 2 });
    expect(a.episodes).toEqual(b.episodes);
  });

  it('is refused when its file is missing, faulty, exports no policy, or never ends', async () => {
    const act = 'act(world, from, to, actions) { actions.fill(0, from, to); }';
    for (const [name, text, message] of [
      ['syntax.mjs', 'export default {\n  act(', /syntax\.mjs does not load: SyntaxError: .* \(line \d\)/],
      ['throws.mjs', 'throw new TypeError("no luck");', /throws\.mjs does not load: TypeError: no luck/],
      ['imports.mjs', 'import "./absent.mjs";', /imports\.mjs does not load: Error: Cannot find module .*absent\.mjs/],
      ['empty.mjs', '', /empty\.mjs has no default export \(it exports nothing\): export default \{ act/],
      [
        'named.mjs',
        `export const policy = { ${act} };`,
        /named\.mjs has no default export \(it exports policy\): export/,
      ],
      ['number.mjs', 'export default 5;', /default export of policy .*number\.mjs is 5, which has no function "act"/],
      ['noact.mjs', 'export default { name: "x" };', /which has no function "act": export default \{ act/],
      [
        'late.mjs',
        `export default Promise.resolve({ ${act} });`,
        /late\.mjs is a promise: it must be the policy itself/,
      ],
      [
        'sees.mjs',
        `export const observation = "all"; export default { ${act} };`,
        /exports observation "all": choose one of classic, full/,
      ],
      ['exits.mjs', 'process.exit(3);', /exits\.mjs does not load: it ended its thread with code 3/],
      [
        'waits.mjs',
        'await new Promise(() => {});',
        /waits\.mjs does not load: it ended its thread with code 13, as a top-level await/,
      ],
      ['loops.mjs', 'for (;;);', /loops\.mjs has not loaded within 2 s: its top-level code must come to an end/],
    ] as const) {
      await expect(ownPolicy(module(name, text), 2), name).rejects.toThrow(message);
    }
    await expect(ownPolicy(join(root, 'none.mjs'))).rejects.toThrow(/none\.mjs cannot be read: no such file/);
    await expect(ownPolicy(join(root, 'policy.txt'))).rejects.toThrow(/its name must end in \.js, \.mjs/);
  });

  it('is named, with decision and action, when it throws or breaks its contract', async () => {
    for (const [name, text, message] of [
      [
        'boom.mjs',
        '{ act() { throw new Error("boom"); } }',
        /policy .*boom\.mjs threw at decision 1 of environment 0: Error: boom/,
      ],
      [
        'idle.mjs',
        '{ act() {} }',
        /idle\.mjs wrote no action \(or -1\) at decision 1 of environment 0: write actions\[e\]/,
      ],
      [
        'high.mjs',
        '{ act: (w, a, b, x) => void x.fill(201, a, b) }',
        /high\.mjs wrote action 201 at decision 1 of environment 0: actions are 0 to 200/,
      ],
      [
        'fifth.mjs',
        '{ act: (w, a, b, x) => { for (let e = a; e < b; e++) x[e] = w.state.steps[e] === 4 && e === 1 ? 20 : 0; } }',
        /fifth\.mjs wrote action 20 at decision 5 of environment 1: driver 0 cannot take the booking in slot 19 now; choose one whose entry/,
      ],
      [
        'promises.mjs',
        '{ async act(w, a, b, x) { x.fill(0, a, b); } }',
        /promises\.mjs returned a promise at decision 1 .*must write its actions before it returns/,
      ],
      [
        'factory.mjs',
        '() => { throw new Error("no table"); }',
        /factory\.mjs: its function threw for scenario "geneva": Error: no table/,
      ],
      [
        'nothing.mjs',
        '() => undefined',
        /default export of policy .*nothing\.mjs returns is undefined, which has no function "act"/,
      ],
    ] as const) {
      const spec = await ownPolicy(module(name, `export default ${text};`));
      await expect(evaluated([spec], { episodes: 3 }), name).rejects.toMatchObject({
        name: 'PolicyError',
        code: 'ERR_POLICY',
        message: expect.stringMatching(message) as string,
      });
    }
  });

  it('that does not return, or ends its thread, ends the evaluation with its name', async () => {
    const loops = await ownPolicy(module('forever.mjs', 'export default { act() { for (;;); } };'));
    await expect(evaluated([loops], { episodes: 3, hangSeconds: 1 })).rejects.toMatchObject({
      code: 'ERR_WORKER_HANGS',
      message: expect.stringMatching(
        /hangs at "evaluate".*of your own it played policy .*forever\.mjs: see that act returns/,
      ) as string,
    });
    const asked = { compiled, policy: loops, split: 'validation', episode: 0, seed: 1 } as const;
    await expect(simulateInThread(asked, 1)).rejects.toThrow(/hangs at "simulate".*forever\.mjs/);
    const exits = await ownPolicy(module('leaves.mjs', 'export default { act() { process.exit(0); } };'));
    await expect(evaluated([exits], { episodes: 3 })).rejects.toThrow(/a worker failed at "evaluate".*leaves\.mjs/);
  });

  it('that has changed since it was named is refused', async () => {
    const spec = await ownPolicy(module('moving.mjs', nearestText));
    module('moving.mjs', `${nearestText}\n`);
    await expect(evaluated([spec], { episodes: 1 })).rejects.toThrow(
      /moving\.mjs has changed since it was loaded: its SHA-256 was/,
    );
  });

  it('is named on the command line wherever a policy is', async () => {
    const file = module('mine.mjs', nearestText);
    const run = (...args: string[]): Promise<Ended> => runInProcess(args, { cwd: root });
    const few = ['--episodes', '2', '--json'];
    const ours = await run('eval', '--policy', './mine.mjs', ...few);
    expect([ours.status, ours.stderr]).toEqual([0, '']);
    const rule = JSON.parse((await run('eval', '--policy', 'nearest', ...few)).stdout) as Evaluation;
    expect(JSON.parse(ours.stdout)).toEqual({ ...rule, policy: 'mine' });
    const simulated = await run('simulate', '--policy', file, '--episode', '1', '--json');
    expect(JSON.parse(simulated.stdout)).toMatchObject({ policy: 'mine', return: rule.episodes[1].return });
    writeFileSync(join(root, 'state.json'), JSON.stringify(easyRequest(fleet)));
    const recommended = await run('recommend', '-i', 'state.json', '--policy', './mine.mjs', '--json');
    const { provenance, assignments } = JSON.parse(recommended.stdout) as Answer;
    expect([recommended.status, provenance.policy, provenance.fallback]).toEqual([0, 'mine', null]);
    expect(assignments.length).toBeGreaterThan(0);
    module('bad.mjs', 'export default { act: (w, a, b, x) => void x.fill(-7, a, b) };');
    const bad = await run('eval', '--policy', './bad.mjs', ...few);
    expect([bad.status, bad.stdout]).toEqual([2, '']);
    expect(bad.stderr).toMatch(
      /^fleetstep: policy .*bad\.mjs wrote action -7 at decision 1 of environment 0: actions are 0 to 200/,
    );
    const failed = await run('recommend', '-i', 'state.json', '--policy', './bad.mjs', '--json');
    expect(failed.status).toBe(0);
    expect((JSON.parse(failed.stdout) as Answer).provenance.fallback).toEqual({ policy: 'planner', reason: 'failed' });
    expect(failed.stderr).toMatch(/bad\.mjs wrote action -7/);
  });
});

describe('a policy of one’s own in the service', () => {
  const context = { decisionId: 'd', stateHash: '' };
  const base = compileScenario(preset('geneva'));

  it('is asked as a rule is, under its hash, and gives way to the planner where it fails or never returns', async () => {
    const specs = [
      await ownPolicy(module('near.mjs', nearestText)),
      await ownPolicy(module('fails.mjs', 'export default { act() { throw new Error("boom"); } };')),
      await ownPolicy(module('never.mjs', 'export default { act() { for (;;); } };')),
      await ownPolicy(module('lazy.mjs', 'export default { act: (w, a, b, x) => void x.fill(0, a, b) };')),
    ];
    for (const spec of specs) await loadOwnPolicy(spec);
    const policies = new Policies([], base, specs);
    const faults: string[] = [];
    policies.report = (fault) => void faults.push(fault);
    expect(policies.default).toMatchObject({ name: 'near', kind: 'rule', hash: specs[0].sha256 });
    const background = new Background(new Recommender(policies, '0.0.0'), 1);
    try {
      const given = easyRequest(fleet);
      const ask = async (policy: string, replay?: Answer['provenance']): Promise<Answer> => {
        const request = checkRequest(structuredClone({ ...given, policy, deadline_ms: 2000 }));
        const answer = await background.recommend(request, replay === undefined ? context : { ...context, replay });
        expect(compile(answerProps)(answer)).toBeNull();
        checkAnswer(given as never, answer as unknown as Given);
        return answer;
      };
      const ours = await ask('near');
      const rule = await ask('nearest');
      expect(ours.provenance).toMatchObject({ policy: 'near', policy_hash: specs[0].sha256, fallback: null });
      expect(ours.assignments).toEqual(rule.assignments);
      const planner = await ask('planner');
      for (const [name, reason] of [
        ['fails', 'failed'],
        ['never', 'failed'],
      ] as const) {
        const answer = await ask(name);
        expect(answer.provenance).toMatchObject({ policy: name, fallback: { policy: 'planner', reason } });
        expect(answer.assignments).toEqual(planner.assignments);
        // A replay does not try again.
        expect(await ask(name, answer.provenance)).toEqual(answer);
      }
      expect(faults).toEqual([
        expect.stringMatching(/fails\.mjs threw at decision 1 of environment 3: Error: boom/),
        expect.stringMatching(/policy never ended its thread, or did not return within 5000 ms/),
      ]);
      // Its thread is there again.
      expect((await ask('near')).assignments).toEqual(rule.assignments);
      // Waiting while something is lost breaks the objective.
      const { fallback } = (await ask('lazy')).provenance;
      expect(fallback === null || fallback.reason === 'objective').toBe(true);
    } finally {
      await background.close();
    }
    expect(() => new Policies([], base, [{ ...specs[0], name: 'edf' }])).toThrow(
      'two policies have the name edf: rename the file of a module',
    );
  });
});
