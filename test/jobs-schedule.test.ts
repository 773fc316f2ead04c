// The order of a study: what is promoted, and that nothing but the study decides it.

import { expect, test } from 'vitest';
import { Schedule, checkStudy } from '#jobs/index.js';
import type { Study, Task } from '#jobs/index.js';

const made = (extra: object = {}): Study =>
  checkStudy(
    {
      scenario: 'geneva',
      config: { steps: 900 },
      space: { learningRate: { float: [1e-4, 1e-2], log: true }, gamma: { choice: [0.9, 0.95, 0.99] } },
      trials: 27,
      pruner: { minSteps: 100, eta: 3 },
      ...extra,
    },
    'a test',
  );

/** A trial's value, which depends on its point alone. */
const valueOf = ({ point }: Task): number => -Math.abs(Math.log(point['learningRate'] as number) - Math.log(1e-3));

/** Runs a study with results that come in the order in which `choose` picks them. */
function play(study: Study, choose: (tasks: readonly Task[]) => number, value = valueOf): Schedule {
  const schedule = new Schedule(study);
  while (!schedule.finished) {
    const { tasks } = schedule;
    expect(tasks.length).toBeGreaterThan(0);
    expect(tasks.length).toBeLessThanOrEqual(study.slots);
    const task = tasks[choose(tasks)];
    schedule.complete(task, { value: value(task), violation: 0 });
  }
  return schedule;
}

test('rungs are the fewest steps, times eta again and again, up to all steps', () => {
  expect(made().rungs).toEqual([100, 300, 900]);
  expect(made({ pruner: { minSteps: 200, eta: 4 } }).rungs).toEqual([200, 800, 900]);
  const { pruner: _, ...without } = { pruner: null };
  expect(checkStudy({ space: { gamma: { choice: [0.9] } }, config: { steps: 5 }, ...without }, 'a test').rungs).toEqual(
    [5],
  );
});

test('the order in which results arrive changes nothing', () => {
  const study = made();
  let seed = 7;
  const reference = play(study, () => 0).trials;
  for (let k = 0; k < 20; k++) {
    const shuffled = play(study, (tasks) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % tasks.length;
    }).trials;
    expect(shuffled).toEqual(reference);
  }
});

test('a third goes on to the next rung, the better ones, and the first to arrive is not promoted for being alone', () => {
  const study = made({ slots: 1, sampler: 'random' });
  const schedule = new Schedule(study);
  const promoted: number[] = [];
  for (let done = 1; !schedule.finished; done++) {
    const [task] = schedule.tasks;
    if (task.rung === 1) promoted.push(task.trial);
    // Two results at the first rung are too few to promote one of them.
    if (done <= 3) expect(task.rung).toBe(0);
    schedule.complete(task, { value: valueOf(task), violation: 0 });
  }
  expect(schedule.trials).toHaveLength(27);
  const first = [...schedule.trials].sort((a, b) => b.results[0].value! - a.results[0].value!);
  // The best nine are all there at the end.
  for (const { number } of first.slice(0, 9)) expect(promoted).toContain(number);
  expect(schedule.ranking[0].results).toHaveLength(3);
  expect(schedule.ranking[0].number).toBe(first[0].number);
});

test('the best of few trials still gets all its steps', () => {
  const schedule = play(made({ trials: 2 }), () => 0);
  expect(schedule.ranking[0].results).toHaveLength(3);
  expect(schedule.ranking[1].results).toHaveLength(1);
});

test('a failed trial comes last and is not promoted; one that breaks a constraint comes after all that do not', () => {
  const study = made({ sampler: 'random', trials: 9 });
  const schedule = new Schedule(study);
  while (!schedule.finished) {
    const [task] = schedule.tasks;
    const value = task.trial === 0 ? null : task.trial;
    schedule.complete(task, { value, violation: task.trial >= 7 ? 0.5 : 0 });
  }
  expect(schedule.trials[0].results).toHaveLength(1);
  expect(schedule.ranking[0].number).toBe(6);
  expect(schedule.ranking.at(-1)!.number).toBe(0);
  expect(schedule.ranking.slice(-3).map(({ number }) => number)).toEqual([8, 7, 0]);
});

test('no trial begins once the budget of steps is used up, or the clock has stopped new ones', () => {
  const full = play(made({ budget: { steps: 1000 }, sampler: 'random', slots: 1 }), () => 0);
  const used = full.trials.reduce((sum, { results }) => sum + [100, 300, 900][results.length - 1], 0);
  expect(full.trials.length).toBeLessThan(27);
  // What had begun ends, and the best of them gets all its steps.
  expect(used).toBeLessThanOrEqual(1000 + 200 + 600);
  const stopped = new Schedule(made());
  stopped.stopNew();
  expect(stopped.limit).toBe(4);
  while (!stopped.finished) stopped.complete(stopped.tasks[0], { value: 1, violation: 0 });
  expect(stopped.trials).toHaveLength(4);
});
