// The file that threads load to bound days: the linear programme, solved by HiGHS in WebAssembly.

import highsModule from 'highs';
import type { Highs } from 'highs';
import { solveDay } from './hindsight.js';
import type { FlowSolver, HindsightDay } from './hindsight.js';
import { TrainError } from './errors.js';

// The types describe a CommonJS module with a function on `default`; Node gives the function itself.
const loadHighs = highsModule as unknown as typeof highsModule.default;

let loading: Promise<Highs> | undefined;

/** The bound of one day. @throws TrainError `ERR_DIVERGED` if the solver does not find the optimum */
export async function bound(day: HindsightDay): Promise<number> {
  const highs = await (loading ??= loadHighs());
  return solveDay(day, solverOf(highs));
}

/** Rows: a balance for each node (zone, tick), then a limit of 1 for each request. Columns: services, then waits. */
export function solverOf(highs: Highs): FlowSolver {
  return ({ zones, horizon, starts, requests }, services) => {
    const width = horizon + 1;
    const nodes = zones * width;
    const numRows = nodes + requests.length;
    const numCols = services.length + zones * horizon;
    const index: number[] = [];
    const value: number[] = [];
    const begin = new Int32Array(numCols + 1);
    const colCost = new Float64Array(numCols);
    let column = 0;
    const entry = (row: number, coefficient: number): void => {
      index.push(row);
      value.push(coefficient);
    };
    for (const { request, zone, tick, toZone, toTick, profit } of services) {
      colCost[column] = profit;
      // A service that ends in the node where it began moves nothing.
      if (toTick > horizon) entry(zone * width + tick, 1);
      else if (zone !== toZone || tick !== toTick) {
        entry(zone * width + tick, 1);
        entry(toZone * width + toTick, -1);
      }
      entry(nodes + request, 1);
      begin[++column] = index.length;
    }
    for (let zone = 0; zone < zones; zone++) {
      for (let tick = 0; tick < horizon; tick++) {
        entry(zone * width + tick, 1);
        entry(zone * width + tick + 1, -1);
        begin[++column] = index.length;
      }
    }
    const rowUpper = new Float64Array(numRows).fill(1, nodes);
    starts.forEach((count, zone) => (rowUpper[zone * width] = count));
    return highs.withModel(
      {
        numCols,
        numRows,
        sense: highs.constants.objectiveSense.maximize,
        colCost,
        colLower: new Float64Array(numCols),
        colUpper: new Float64Array(numCols).fill(highs.infinity),
        rowLower: new Float64Array(numRows).fill(-highs.infinity),
        rowUpper,
        matrix: {
          format: 'csc',
          numRows,
          numCols,
          starts: begin,
          indices: Int32Array.from(index),
          values: Float64Array.from(value),
        },
      },
      (model) => {
        model.options.set({ output_flag: false });
        model.run();
        const status = model.getModelStatus();
        if (status !== highs.constants.modelStatus.optimal) {
          throw new TrainError('ERR_DIVERGED', `the bound of a day was not found: HiGHS ended with status ${status}`);
        }
        return { value: model.getObjectiveValue(), prices: model.getSolution().rowDual.slice(0, nodes) };
      },
    );
  };
}
