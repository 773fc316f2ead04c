// Whole plans for seeded states, three shipments a vehicle, beside VROOM's: how many are served on time where windows are hard, and how
// many in all where they may be 900 s late. Ours has for each state the time that VROOM took for it, and at most a second.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Policies, Recommender, checkRequest, planVroom } from '../advise/index.js';
import type { VroomAnswer } from '../advise/index.js';
import { TOLERANCE, planState, recommendRequest, servedBy, vroomRequest } from './plan-states.js';
import type { PlanState, PlannedPickup, Served } from './plan-states.js';
import { spread } from './report.js';
import type { Benchmark, Row } from './report.js';

const SIZES = [
  [10, 20],
  [30, 60],
  [100, 200],
] as const;
const SEEDS = 10;
/** States that ours plans before, so that its code is compiled; VROOM's is. */
const WARM_UP = 3;
/** How rows name it. */
const VROOM = 'VROOM';
/** Milliseconds of ours where VROOM is not there to be measured: the service's default. */
const DEFAULT_MS = 250;
/** The service takes no longer deadline. */
const MOST_MS = 1000;

/** A plan and the milliseconds from the text of a request to the plan. */
interface Made {
  readonly plan: readonly PlannedPickup[];
  readonly ms: number;
}

/** One who plans, within milliseconds if it takes a deadline. */
interface Planner {
  readonly name: string;
  plan(state: PlanState, tolerance: number, ms: number): Made | Promise<Made>;
}

const run = promisify(execFile);

/** VROOM itself, in a process for each plan; its time is what it says of itself, without the start of the process. */
function vroomProgram(program: string, folder: string): Planner {
  return {
    name: VROOM,
    plan: async (state, tolerance) => {
      const file = join(folder, 'request.json');
      writeFileSync(file, JSON.stringify(vroomRequest(state, tolerance)));
      const { stdout } = await run(program, ['-i', file], { maxBuffer: 1 << 28 });
      const answer = JSON.parse(stdout) as VroomAnswer & {
        readonly summary: { readonly computing_times: { readonly loading: number; readonly solving: number } };
      };
      const { loading, solving } = answer.summary.computing_times;
      return { plan: pickupsOf(answer), ms: loading + solving };
    },
  };
}

function pickupsOf({ routes }: VroomAnswer): PlannedPickup[] {
  return routes.flatMap(({ vehicle, steps }) =>
    steps.flatMap(({ type, id, arrival, waiting_time: waiting }) =>
      type === 'pickup' ? [{ vehicle: vehicle as number, shipment: id as number, at: arrival + waiting }] : [],
    ),
  );
}

const recommender = new Recommender(new Policies(), '');

const ours: readonly Planner[] = [
  {
    name: '/v1/recommend',
    plan: (state, tolerance, ms) => {
      const text = JSON.stringify({ ...recommendRequest(state, tolerance), deadline_ms: ms });
      const started = performance.now();
      const request = checkRequest(JSON.parse(text));
      const { assignments } = recommender.recommend(request, { decisionId: '', stateHash: '' });
      return {
        ms: performance.now() - started,
        plan: assignments.map(({ vehicle, shipment, pickup_eta: at }) => ({
          ...{ vehicle: vehicle as number, shipment: shipment as number, at },
        })),
      };
    },
  },
  {
    name: '/v1/vroom',
    plan: (state, tolerance, ms) => {
      const text = JSON.stringify({ ...vroomRequest(state, tolerance), deadline_ms: ms });
      const started = performance.now();
      const answer = planVroom(JSON.parse(text));
      return { ms: performance.now() - started, plan: pickupsOf(answer) };
    },
  },
];

/** VROOM's program, or null, loudly, where there is none. */
async function findVroom(note: (text: string) => void): Promise<string | null> {
  const program = process.env['FLEETSTEP_VROOM'] ?? 'vroom';
  try {
    const { stdout } = await run(program, ['--version']);
    note(`beside ${stdout.trim().split('\n')[0]}`);
    return program;
  } catch (error) {
    note(`LEFT OUT: VROOM, as "${program} --version" failed (${(error as Error).message.split('\n')[0]}): name its
program in FLEETSTEP_VROOM. Ours has ${DEFAULT_MS} ms for each state, instead of VROOM's time.`);
    return null;
  }
}

/** Of one size, one tolerance and one planner: a number for each state. */
interface Measured {
  readonly served: Served[];
  readonly ms: number[];
}

async function measure(
  planners: readonly Planner[],
  vehicles: number,
  shipments: number,
  seeds: number,
  tolerance: number,
): Promise<Measured[]> {
  const measured = planners.map((): Measured => ({ served: [], ms: [] }));
  for (let seed = 1; seed <= WARM_UP; seed++) {
    const state = planState(vehicles, shipments, 1000 + seed);
    for (const planner of ours) await planner.plan(state, tolerance, DEFAULT_MS);
  }
  for (let seed = 1; seed <= seeds; seed++) {
    const state = planState(vehicles, shipments, seed);
    let ms = DEFAULT_MS;
    for (const [k, planner] of planners.entries()) {
      const made = await planner.plan(state, tolerance, ms);
      if (planner.name === VROOM) ms = Math.min(MOST_MS, Math.max(1, Math.floor(made.ms)));
      measured[k].served.push(servedBy(state, made.plan, tolerance));
      measured[k].ms.push(made.ms);
    }
  }
  return measured;
}

function rowsOf(what: string, unit: string, planners: readonly Planner[], values: readonly number[][]): Row[] {
  const sum = (list: readonly number[]): number => list.reduce((total, one) => total + one, 0);
  const anchor = planners.findIndex(({ name }) => name === VROOM);
  return planners.map(({ name }, k) => ({
    name: `${what}: ${name}`,
    unit,
    ...spread(values[k]),
    ...(anchor < 0 || k === anchor ? {} : { anchor: VROOM, ratio: sum(values[k]) / sum(values[anchor]) }),
  }));
}

export const planBenchmark: Benchmark = {
  name: 'plan',
  question: `whole plans of ${SEEDS} seeded states, beside VROOM, each with the time that VROOM takes; ratios are of sums`,
  run: async (quick, note) => {
    const folder = mkdtempSync(join(tmpdir(), 'fleetstep-plan-'));
    try {
      const program = await findVroom(note);
      const planners = [...(program === null ? [] : [vroomProgram(program, folder)]), ...ours];
      const rows: Row[] = [];
      for (const [vehicles, shipments] of quick ? SIZES.slice(0, 2) : SIZES) {
        for (const [tolerance, words, count] of [
          [0, 'hard windows, on time', ({ onTime }: Served) => onTime],
          [TOLERANCE, `windows + ${TOLERANCE} s, in all`, ({ inAll }: Served) => inAll],
        ] as const) {
          const measured = await measure(planners, vehicles, shipments, quick ? 3 : SEEDS, tolerance);
          const size = `${vehicles} x ${shipments}, ${words}`;
          const served = measured.map((one) => one.served.map(count));
          rows.push(...rowsOf(size, 'shipments', planners, served));
          const times = measured.map((one) => one.ms);
          rows.push(...rowsOf(`${size}, time`, 'ms', planners, times));
        }
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
