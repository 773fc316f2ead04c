// fleetstep fit: tunes a rule to a scenario. It is training under another name, with steps that suffice.

import { Command, Option } from 'commander';
import { loadScenario } from '../trips/index.js';
import { TrainError } from '../train/index.js';
import { dataOption, jsonOption, path, scenarioOption, seedOption, whole, workersOption } from './options.js';
import { trainCommand } from './train.js';

interface FitOptions {
  readonly policy: string;
  readonly scenario: string;
  readonly data?: string;
  readonly steps?: number;
  readonly seed: number;
  readonly workers: number;
  readonly out?: string;
  readonly evalEpisodes?: number;
  readonly json: boolean;
}

/** Steps that suffice for a scenario of this name, a few minutes on two cores. */
function fitSteps(scenario: string): number {
  return scenario === 'geneva' ? 9_000_000 : scenario.startsWith('nyc-') ? 30_000_000 : 14_000_000;
}

/** The `fit` command. */
export function fitCommand(): Command {
  return new Command('fit')
    .description('Fit a rule to a scenario: no network, a few minutes. The result is a run, and can be named like one.')
    .addOption(
      new Option(
        '--policy <name>',
        'linear: a weighted sum of the columns of an assignment, tuned by CMA-ES on training episodes',
      ).default('linear'),
    )
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(
      new Option(
        '--steps <n>',
        'environment steps in total (default: by scenario, a few minutes on two cores)',
      ).argParser(whole(1)),
    )
    .addOption(seedOption())
    .addOption(workersOption())
    .addOption(new Option('--out <folder>', 'folder of the run (default: a new one under runs/)').argParser(path))
    .addOption(
      new Option(
        '--eval-episodes <n>',
        'held-out episodes per policy after the fit, 0 for none (default: 200, or all days)',
      ).argParser(whole(0)),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
It is "fleetstep train --algorithm linear", and ends with the same output. A fit that was interrupted resumes with
"fleetstep train --resume RUN". The rule "linear" of the other commands has the weights that come with the package; a fit of
your own is named by its folder.

Examples:
  fleetstep fit --policy linear --scenario geneva-live --out runs/linear
  fleetstep fit --policy linear --scenario nyc-small --data ../HybridMADRL-AMoD --json
  fleetstep eval --policy runs/linear --split test`,
    )
    .action(async (options: FitOptions) => {
      const { policy, scenario, data, seed, workers, out, evalEpisodes, json } = options;
      if (policy === 'lp-value') {
        throw new TrainError(
          'ERR_TRAIN_OPTION',
          '--policy is "lp-value", which is left out: values fitted to forced decisions ("fleetstep train --algorithm rollout") and the rule "linear" do without dual prices; choose linear',
        );
      }
      if (policy !== 'linear') {
        throw new TrainError('ERR_TRAIN_OPTION', `--policy is "${policy}": what can be fitted is linear`);
      }
      const steps = options.steps ?? fitSteps(loadScenario(options).scenario.name);
      const given = { scenario, data, seed, workers, out, steps, 'eval-episodes': evalEpisodes };
      const args = Object.entries(given).flatMap(([name, value]) =>
        value === undefined ? [] : [`--${name}`, String(value)],
      );
      await trainCommand()
        .exitOverride()
        .parseAsync(['--algorithm', 'linear', ...args, ...(json ? ['--json'] : [])], { from: 'user' });
    });
}
