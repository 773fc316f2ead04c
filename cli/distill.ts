// fleetstep distill

import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import {
  RunFolder,
  TrainError,
  checkDistillSettings,
  distill,
  distillDefaults,
  distillProgress,
  loadBackend,
  readCheckpoint,
  worldOf,
} from '../train/index.js';
import type { DistillResult, DistillRound } from '../train/index.js';
import { interrupts } from './interrupt.js';
import { jsonOption, path, real, seedOption, whole, workersOption } from './options.js';
import { counted, printJson, progress, table, withInterval } from './print.js';

interface DistillOptions {
  readonly data?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly rounds: number;
  readonly episodes: number;
  readonly futures: number;
  readonly temperature?: number;
  readonly hidden?: readonly number[];
  readonly epochs: number;
  readonly learningRate: number;
  readonly evalEpisodes?: number;
  readonly seed: number;
  readonly workers: number;
  readonly json: boolean;
}

/** The `distill` command. */
export function distillCommand(): Command {
  const { rounds, episodes, futures, epochs, learningRate } = distillDefaults;
  return new Command('distill')
    .description(
      'Put what look-ahead finds out into the network that it looks ahead with. The result is a policy that can be named like a run.',
    )
    .addArgument(new Argument('[run]', 'the trained policy to begin with: a run, or a checkpoint file of one'))
    .addOption(new Option('--data <path>', 'recorded trips, if they have moved since the run').argParser(path))
    .addOption(new Option('--out <folder>', 'folder of the result (default: RUN-distilled)').argParser(path))
    .addOption(
      new Option('--resume <folder>', 'go on with an interrupted distillation, with its settings')
        .argParser(path)
        .conflicts([
          'out',
          'rounds',
          'episodes',
          'futures',
          'temperature',
          'hidden',
          'epochs',
          'learningRate',
          'evalEpisodes',
          'seed',
        ]),
    )
    .addOption(
      new Option('--rounds <n>', 'rounds; one counts only if its network wins on the validation episodes')
        .argParser(whole(1, 100))
        .default(rounds),
    )
    .addOption(
      new Option('--episodes <n>', 'training episodes that are labelled in a round')
        .argParser(whole(1, 1e6))
        .default(episodes),
    )
    .addOption(
      new Option('--futures <n>', 'most sampled futures in which an action is tried')
        .argParser(whole(2, 1e5))
        .default(futures),
    )
    .addOption(
      new Option(
        '--temperature <x>',
        'return that counts as a factor of e in probability (default: 30 where rewards are weighted sums, 0.3 for fares)',
      ).argParser(real(0, 1e9)),
    )
    .addOption(
      new Option(
        '--hidden <widths>',
        "widths of the actor's hidden layers, such as 128,64: it is widened first, without changing what it computes (default: as they are)",
      ).argParser(widths),
    )
    .addOption(
      new Option('--epochs <n>', 'times that each label is learnt from').argParser(whole(1, 1e4)).default(epochs),
    )
    .addOption(
      new Option('--learning-rate <x>', 'of Adam; it falls to 0 within a round')
        .argParser(real(0, 1))
        .default(learningRate),
    )
    .addOption(
      new Option('--eval-episodes <n>', 'validation episodes that judge a round (default: 200, or all days)').argParser(
        whole(2, 1e6),
      ),
    )
    .addOption(seedOption())
    .addOption(workersOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
A round plays training episodes with the network, lets look-ahead weigh the probable actions of each state, fits the network to
that, and keeps it if it earns more on validation. Labels are kept until a round is over, so that an interrupted distillation
(exit code 130) goes on where it was. "fleetstep train --init" trains the result further.

Examples:
  fleetstep distill runs/geneva-ppo-s1-20260131-120000 --out runs/distilled
  fleetstep distill runs/one --rounds 2 --episodes 100 --json
  fleetstep distill --resume runs/distilled`,
    )
    .action(async (run: string | undefined, options: DistillOptions) => {
      const { resume, json, workers } = options;
      if ((run === undefined) === (resume === undefined)) {
        throw new TrainError(
          'ERR_TRAIN_OPTION',
          'give either a run to distil, or --resume with the folder of a distillation',
        );
      }
      const { from, settings } =
        resume === undefined ? { from: run!, settings: settingsOf(options) } : distillProgress(resume);
      const out = resume ?? options.out ?? `${run!.replace(/\/+$/, '')}-distilled`;
      checkDistillSettings(settings);
      const checkpoint = readCheckpoint(resume ?? run!);
      const compiled = worldOf(checkpoint, resume ?? run!, options.data);
      if (resume === undefined) RunFolder.checkFree(out);
      const backend = await loadBackend('simd');
      const say = (text: string): void => {
        if (!json) process.stderr.write(`${text}\n`);
      };
      const interrupted = interrupts(() =>
        say(
          `stopping: labels so far are kept; "fleetstep distill --resume ${out}" goes on; interrupt again to stop at once`,
        ),
      );
      const bar = progress('labelling', json);
      let result: DistillResult;
      try {
        result = await distill({
          ...{ checkpoint, from, compiled, backend, settings, workers, out },
          resume: resume !== undefined,
          signal: interrupted.signal,
          onLabels: (round, done, total) =>
            bar.update(done, total, `round ${round} of ${settings.rounds}, ${done}/${total} episodes`),
          onRound: (round) => say(sentence(round)),
        });
      } finally {
        bar.stop();
        interrupted.close();
      }
      if (!result.finished) process.exitCode = interrupted.exitCode;
      if (json) printJson(result);
      else process.stdout.write(text(result));
    });
}

/** `128,64` as numbers; that they are possible is checked with the network. */
function widths(text: string): number[] {
  const numbers = text.split(',').map(Number);
  if (!numbers.every((width) => Number.isInteger(width) && width >= 8 && width <= 4096 && width % 8 === 0)) {
    throw new InvalidArgumentError('It must be widths, multiples of 8 from 8 to 4096, such as 128,64.');
  }
  return numbers;
}

function settingsOf(options: DistillOptions): typeof distillDefaults {
  const { rounds, episodes, futures, epochs, learningRate, seed } = options;
  return {
    ...{ rounds, episodes, futures, epochs, learningRate, seed },
    temperature: options.temperature ?? null,
    hidden: options.hidden ?? null,
    evaluationEpisodes: options.evalEpisodes ?? null,
  };
}

function sentence({ round, meanReturn, difference, halfWidth, accepted }: DistillRound): string {
  const sign = difference >= 0 ? '+' : '';
  return `round ${round}: validation return ${meanReturn.toFixed(2)}, ${sign}${withInterval(difference, halfWidth)}: ${accepted ? 'accepted' : 'not accepted'}`;
}

function text({ run, finished, rounds, accepted }: DistillResult): string {
  const rows = rounds.map((one) => [
    String(one.round),
    String(one.states),
    one.expectedGain.toFixed(2),
    one.meanReturn.toFixed(2),
    `${one.difference >= 0 ? '+' : ''}${withInterval(one.difference, one.halfWidth)}`,
    one.accepted ? 'yes' : 'no',
  ]);
  return (
    `${table(['round', 'states', 'gain a state', 'return', 'gain, paired', 'accepted'], rows)}\n` +
    `${finished ? 'done' : 'interrupted'}: ${counted(accepted, 'round')} accepted of ${rounds.length}\n` +
    `run:  ${run}\n` +
    `next: ${finished ? `fleetstep compare ${run} --split test` : `fleetstep distill --resume ${run}`}\n`
  );
}
