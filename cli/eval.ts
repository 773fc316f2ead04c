// fleetstep eval

import { Command, Option } from 'commander';
import type { Split } from '../engine/index.js';
import { halfWidth } from '../policy/index.js';
import { loadScenario } from '../trips/index.js';
import { TrainError, whyNoHindsight } from '../train/index.js';
import { episodeCount, episodeId, evaluatePolicies } from '../workers/index.js';
import {
  dataOption,
  hangSecondsOption,
  jsonOption,
  policyOption,
  scenarioOption,
  seedOption,
  splitOption,
  whole,
  workersOption,
} from './options.js';
import { HINDSIGHT, boundsOf, foresightLine, foresightOf } from './hindsight.js';
import { askedPolicy } from './policies.js';
import { countTestUse } from './test-uses.js';
import { counted, evaluationTable, printJson, progress, table, withInterval } from './print.js';

interface EvalOptions {
  readonly policy: string;
  readonly scenario: string;
  readonly data?: string;
  readonly split: Split;
  readonly episodes?: number;
  readonly seed: number;
  readonly workers: number;
  readonly hangSeconds: number;
  readonly json: boolean;
}

/** The `eval` command. */
export function evalCommand(): Command {
  return new Command('eval')
    .description('Play held-out episodes with a policy and report its return and key figures.')
    .addOption(policyOption())
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(splitOption())
    .addOption(
      new Option('--episodes <n>', 'episodes to play (default: 200, or all days of the split)').argParser(
        whole(1, 1e6),
      ),
    )
    .addOption(seedOption())
    .addOption(workersOption())
    .addOption(hangSecondsOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
On recorded trips paid by fares, such as nyc-small, the bound of perfect foresight stands beside the table, and the share of the way
to it from greedy that the policy goes. "--policy hindsight" gives the bound of each day; it is no policy and has no key figures.
Bounds are kept in data/hindsight, or under FLEETSTEP_DATA.

Examples:
  fleetstep eval --policy hungarian
  fleetstep eval --policy greedy --scenario nyc-small --data ../HybridMADRL-AMoD --split validation --json
  fleetstep eval --policy hindsight --scenario nyc-small --data ../HybridMADRL-AMoD
  fleetstep eval --policy lookahead:runs/geneva-ppo-s1-20260131-120000
  fleetstep eval --policy ./mine.mjs --hang-seconds 10
  fleetstep eval --policy runs/geneva-ppo-s1-20260131-120000 --split test --episodes 1000`,
    )
    .action(async (options: EvalOptions, command: Command) => {
      if (options.policy === HINDSIGHT) {
        await evaluateHindsight(options);
        return;
      }
      const { compiled, policy } = await askedPolicy(options, command);
      const bar = progress('evaluating', options.json);
      const [evaluation] = await evaluatePolicies({
        compiled,
        policies: [policy],
        split: options.split,
        episodes: options.episodes,
        seed: options.seed,
        workers: options.workers,
        hangSeconds: options.hangSeconds,
        progress: (done, total) => bar.update(done, total, `${done}/${total} episodes`),
      }).finally(() => bar.stop());
      if (options.split === 'test') {
        const uses = countTestUse(options.policy, 'eval', evaluation.episodes.length, new Date());
        if (uses !== null && !options.json) {
          process.stderr.write(`note: use ${uses} of the test split by ${options.policy}\n`);
        }
      }
      const foresight = await foresightOf(compiled, [evaluation], options.workers, options.json);
      if (options.json) {
        printJson(foresight === null ? evaluation : { ...evaluation, hindsight: foresight });
        return;
      }
      const { episodes, split, scenario, meanReturn, halfWidth } = evaluation;
      process.stdout.write(
        `${counted(episodes.length, `${split} episode`)} of ${scenario}:\n${evaluationTable([evaluation])}\n` +
          `mean return ${withInterval(meanReturn, halfWidth)}\n`,
      );
      if (foresight !== null) process.stdout.write(`${foresightLine(foresight)}\n`);
    });
}

/** The bound of each day, in the shape of an evaluation. */
async function evaluateHindsight(options: EvalOptions): Promise<void> {
  const { split, seed, workers, json } = options;
  const compiled = loadScenario(options);
  // Refused first where there is no bound, whatever else is asked.
  const reason = whyNoHindsight(compiled);
  if (reason !== null) throw new TrainError('ERR_TRAIN_OPTION', `--policy is "${HINDSIGHT}": ${reason}`);
  const count = episodeCount(compiled, split, options.episodes);
  const bounds = Array.from(await boundsOf(compiled, split, count, workers, json));
  const episodes = bounds.map((bound, k) => ({ id: episodeId(compiled, split, k), return: bound }));
  const meanReturn = bounds.reduce((sum, bound) => sum + bound, 0) / bounds.length;
  const half = halfWidth(bounds);
  const { name } = compiled.scenario;
  if (json) {
    printJson({ policy: HINDSIGHT, scenario: name, split, seed, episodes, meanReturn, halfWidth: half });
    return;
  }
  const rows = episodes.map(({ id, return: bound }) => [id, bound.toFixed(2)]);
  process.stdout.write(
    `${counted(count, `${split} day`)} of ${name}, each with what no policy can pass:\n${table(['day', 'bound'], rows)}\n` +
      `mean bound ${withInterval(meanReturn, half)}\n`,
  );
}
