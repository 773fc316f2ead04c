// fleetstep eval

import { Command, Option } from 'commander';
import type { Split } from '../engine/index.js';
import { evaluatePolicies } from '../workers/index.js';
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
import { askedPolicy } from './policies.js';
import { counted, evaluationTable, printJson, progress, withInterval } from './print.js';

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
Examples:
  fleetstep eval --policy hungarian
  fleetstep eval --policy greedy --scenario nyc-small --data ../HybridMADRL-AMoD --split validation --json
  fleetstep eval --policy ./mine.mjs --hang-seconds 10
  fleetstep eval --policy runs/geneva-ppo-s1-20260131-120000 --split test --episodes 1000`,
    )
    .action(async (options: EvalOptions, command: Command) => {
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
      if (options.json) {
        printJson(evaluation);
        return;
      }
      const { episodes, split, scenario, meanReturn, halfWidth } = evaluation;
      process.stdout.write(
        `${counted(episodes.length, `${split} episode`)} of ${scenario}:\n${evaluationTable([evaluation])}\n` +
          `mean return ${withInterval(meanReturn, halfWidth)}\n`,
      );
    });
}
