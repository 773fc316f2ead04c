// Whether a plan keeps all that its problem asks for, said step by step without the planner's own code.

import type { RoutingPlan, RoutingProblem, StopSpec, Window } from '#routing/index.js';

const within = (windows: readonly Window[], at: number): boolean =>
  windows.length === 0 || windows.some(([from, to]) => from <= at && at <= to);

/** What is wrong with a plan; empty if nothing is. */
export function faultsOf(problem: RoutingProblem, plan: RoutingPlan): string[] {
  const faults: string[] = [];
  const { tasks, vehicles, places, travels } = problem;
  // Nodes in the order of tasks: one for a job, two for a shipment.
  const nodes = tasks.flatMap((task, t): { task: number; stop: StopSpec; end: 'job' | 'pickup' | 'delivery' }[] =>
    task.kind === 'job'
      ? [{ task: t, stop: task.stop, end: 'job' }]
      : [
          { task: t, stop: task.pickup, end: 'pickup' },
          { task: t, stop: task.delivery, end: 'delivery' },
        ],
  );
  const times = new Map<number, number>();
  plan.steps.forEach((steps, k) => {
    if (steps.length === 0) return;
    const vehicle = vehicles[k];
    const say = (what: string): void => void faults.push(`vehicle ${k}: ${what}`);
    const { durations, distances, costs } = travels[vehicle.travel];
    const [first, last] = [steps[0], steps[steps.length - 1]];
    if (first.type !== 'start' || last.type !== 'end') say('does not begin with start and end with end');
    const stops = steps.filter(({ type }) => type === 'stop').map(({ index }) => nodes[index]);
    const load = Array.from({ length: problem.dimensions }, (_, x) =>
      stops.reduce((sum, { task }) => {
        const spec = tasks[task];
        return sum + (spec.kind === 'job' ? spec.delivery[x] : 0);
      }, 0),
    );
    const checkLoad = (found: readonly number[]): void => {
      if (found.some((one, x) => one !== load[x])) say(`load is ${found.join()} instead of ${load.join()}`);
      if (load.some((one, x) => one > vehicle.capacity[x])) say(`load ${load.join()} is too much`);
    };
    checkLoad(first.load);
    if (first.arrival < vehicle.shift[0]) say('begins before its shift');
    let place = vehicle.start;
    let clock = first.arrival;
    let seconds = 0;
    let metres = 0;
    let driven = 0;
    let cost = vehicle.fixed;
    let breaks = 0;
    for (const step of steps.slice(1)) {
      const travelled = step.travelled - driven;
      if (Math.abs(step.arrival - clock - travelled) > 1e-6)
        say(`comes to ${step.type} at ${step.arrival}, left at ${clock}`);
      driven = step.travelled;
      if (step.type === 'break') {
        const pause = vehicle.breaks[step.index];
        if (step.index !== breaks++) say('takes its breaks in another order');
        const begin = step.arrival + step.waiting;
        if (!within(pause.windows, begin)) say(`break ${step.index} begins at ${begin}`);
        if (pause.maxLoad?.some((most, x) => load[x] > most) === true) say('takes a break with too much on board');
        clock = begin + pause.service;
        continue;
      }
      const to = step.type === 'end' ? vehicle.end : nodes[step.index].stop.place;
      if (place >= 0 && to >= 0) {
        seconds += durations[place * places + to];
        metres += distances?.[place * places + to] ?? 0;
        cost += costs[place * places + to];
      }
      if (Math.abs(driven - seconds) > 1e-6) say(`has driven ${driven} s instead of ${seconds}`);
      if (step.waiting < 0) say('waits less than nothing');
      const begin = step.arrival + step.waiting;
      clock = begin;
      if (step.type === 'stop') {
        const { task, stop, end } = nodes[step.index];
        const spec = tasks[task];
        if (spec.allowed[k] === 0) say(`has not the skills for task ${task}`);
        if (!within(stop.windows, begin)) say(`begins task ${task} at ${begin}`);
        if (times.has(step.index)) say(`does task ${task} again`);
        const setup = stop.place === place ? 0 : stop.setup[vehicle.kind];
        if (step.setup !== setup || step.service !== stop.service[vehicle.kind]) say('takes another time at a stop');
        clock = begin + setup + step.service;
        cost += (vehicle.perTaskHour * (setup + step.service)) / 3600;
        times.set(step.index, end === 'pickup' ? clock : begin);
        if (end === 'delivery' && spec.kind === 'shipment') {
          const since = times.get(step.index - 1);
          if (since === undefined || !stops.some(({ task: t, end: e }) => t === task && e === 'pickup'))
            say('delivers what it has not');
          else if (begin - since > spec.maxRide) say(`has task ${task} on board for ${begin - since} s`);
        }
        load.forEach((_, x) => {
          if (spec.kind === 'job') load[x] += spec.pickup[x] - spec.delivery[x];
          else load[x] += end === 'pickup' ? spec.amount[x] : -spec.amount[x];
        });
        checkLoad(step.load);
      }
      place = to;
    }
    if (breaks !== vehicle.breaks.length) say('leaves out a break');
    if (stops.length > vehicle.maxStops) say('has too many stops');
    if (seconds > vehicle.maxTravel || metres > vehicle.maxDistance) say('drives too far');
    if (clock > vehicle.shift[1]) say('ends after its shift');
    if (vehicle.perTaskHour === 0 && Math.abs(cost - plan.costs[k]) > 1e-6)
      say(`costs ${plan.costs[k]} instead of ${cost}`);
  });
  nodes.forEach(({ task }, node) => {
    if (times.has(node) === plan.unserved.includes(task))
      faults.push(`task ${task} is served and unserved, or neither`);
  });
  return faults;
}
