// fleetstep compare

import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import type { CompiledScenario, Split } from '../engine/index.js';
import { writeFileAtomic } from '../files/index.js';
import { isHeuristic } from '../policy/index.js';
import { TrainError, comparePolicies } from '../train/index.js';
import type { ComparisonResult, Contender, Difference, Interval, Verdict } from '../train/index.js';
import { loadScenario } from '../trips/index.js';
import { comparisonSvg } from './compare-picture.js';
import { dataOption, jsonOption, scenarioOption, seedOption, splitOption, whole, workersOption } from './options.js';
import { askedPolicy } from './policies.js';
import { counted, percent, printJson, progress, table } from './print.js';

interface CompareOptions {
  readonly scenario: string;
  readonly data?: string;
  readonly split: Split;
  readonly episodes?: number;
  readonly seed: number;
  readonly workers: number;
  readonly svg?: string;
  readonly markdown?: string;
  readonly json: boolean;
}

/** Exit codes by verdict; 1 and 2 are errors, as for every command. */
const exitCodes: Readonly<Record<Verdict, number>> = { pass: 0, fail: 3, undecided: 4 };

/** The `compare` command. */
export function compareCommand(): Command {
  return new Command('compare')
    .description(
      'Compare policies on the same held-out episodes, and hold the first against the strongest simple rule.',
    )
    .addArgument(
      new Argument(
        '<policy...>',
        'a rule, a run, or several runs as one policy: "runs/geneva-ppo-s*" (quoted), or runs separated by commas',
      ),
    )
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(splitOption())
    .addOption(
      new Option('--episodes <n>', 'episodes per policy and seed (default: 200, or all days of the split)').argParser(
        whole(1, 1e6),
      ),
    )
    .addOption(seedOption())
    .addOption(workersOption())
    .addOption(new Option('--svg <file>', 'write a picture of means and intervals'))
    .addOption(new Option('--markdown <file>', 'write the tables as Markdown'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The baseline is the rule with the highest mean return on validation episodes. Intervals are 95% bootstrap intervals over training
seeds and episodes; differences are paired by episode. Exit code: 0 if the first policy passes (its difference from the baseline
is above 0 with all of its interval), 3 if it fails, 4 if this is undecided.

Examples:
  fleetstep compare hungarian edf --scenario geneva-live
  fleetstep compare "runs/geneva-ppo-s*" runs/geneva-linear --split test --episodes 1000 --svg comparison.svg`,
    )
    .action(async (names: string[], options: CompareOptions, command: Command) => {
      const { compiled, contenders } = await asked(names, options, command);
      const bar = progress('comparing', options.json);
      const result = (await comparePolicies({
        compiled,
        contenders,
        split: options.split,
        episodes: options.episodes,
        seed: options.seed,
        workers: options.workers,
        progress: (done, total) => bar.update(Math.min(done, total), total, `${done}/${total} episodes`),
      }).finally(() => bar.stop()))!;
      if (options.svg !== undefined) writeFileAtomic(options.svg, comparisonSvg(result));
      if (options.markdown !== undefined) writeFileAtomic(options.markdown, markdown(result));
      if (options.json) printJson(result);
      else process.stdout.write(text(result));
      process.exitCode = exitCodes[result.verdict];
    });
}

async function asked(
  names: readonly string[],
  options: CompareOptions,
  command: Command,
): Promise<{ compiled: CompiledScenario; contenders: Contender[] }> {
  const groups = names.map(runsOf);
  const all = await Promise.all(
    groups.map((runs) => Promise.all(runs.map((policy) => askedPolicy({ ...options, policy }, command)))),
  );
  // Rules play any scenario: a run's own, where none is named.
  const isFree = ({ policy }: { policy: { kind: string } }): boolean => policy.kind !== 'network';
  const compiled = (all.flat().find((one) => !isFree(one)) ?? { compiled: loadScenario(options) }).compiled;
  const contenders = all.map((group, k): Contender => ({
    policy: groups[k].length > 1 ? basename(names[k].split(',')[0]) : basename(groups[k][0]),
    members: group.map(({ policy }) => policy),
  }));
  return { compiled, contenders };
}

/** The runs that an argument names; a rule names itself. @throws TrainError `ERR_TRAIN_OPTION` for a pattern without runs */
function runsOf(argument: string): string[] {
  if (isHeuristic(argument) || existsSync(argument)) return [argument];
  return argument.split(',').flatMap((part) => {
    if (!part.includes('*')) return [part];
    const folder = dirname(part);
    if (folder.includes('*')) {
      throw new TrainError('ERR_TRAIN_OPTION', `${part}: a * is allowed in the last part of a path only`);
    }
    const pattern = new RegExp(
      `^${basename(part)
        .split('*')
        .map((piece) => piece.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
    );
    const found = existsSync(folder) ? readdirSync(folder).filter((name) => pattern.test(name)) : [];
    if (found.length === 0) throw new TrainError('ERR_TRAIN_OPTION', `${part} matches no run in ${folder}`);
    return found.sort().map((name) => join(folder, name));
  });
}

const entryHead = [
  'policy',
  'seeds',
  'mean return',
  '95% interval',
  'middle half',
  'served',
  'on time',
  'wait',
  'empty',
];
const differenceHead = ['difference', 'mean', '95% interval', 'better in'];

function entryRows({ entries }: ComparisonResult): string[][] {
  return entries.map(({ policy, seeds, kpis, interquartileMean, ...interval }) => [
    policy,
    String(seeds),
    interval.mean.toFixed(2),
    bounds(interval),
    interquartileMean.toFixed(2),
    percent(kpis.serviceRate),
    percent(kpis.onTimeRate),
    `${kpis.meanWaitMinutes.toFixed(1)} min`,
    percent(kpis.emptyShare),
  ]);
}

function differenceRows({ differences }: ComparisonResult): string[][] {
  return differences.map((difference: Difference) => [
    `${difference.policy} - ${difference.against}`,
    difference.mean.toFixed(2),
    bounds(difference),
    percent(difference.probabilityOfImprovement),
  ]);
}

function headline({ verdict, entries, baseline, scenario, split, episodes }: ComparisonResult): string {
  const said = { pass: 'is better than', fail: 'is worse than', undecided: 'is not told apart from' }[verdict];
  return `${verdict}: ${entries[0].policy} ${said} ${baseline}, the strongest rule on validation (${scenario}, ${counted(episodes, `${split} episode`)})`;
}

function text(result: ComparisonResult): string {
  return `${table(entryHead, entryRows(result))}\n${table(differenceHead, differenceRows(result))}\n${headline(result)}\n`;
}

function markdown(result: ComparisonResult): string {
  const rows = (head: readonly string[], body: readonly (readonly string[])[]): string =>
    [head, head.map((_, k) => (k === 0 ? '---' : '--:')), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
  return `${headline(result)}.\n\n${rows(entryHead, entryRows(result))}\n\n${rows(differenceHead, differenceRows(result))}\n`;
}

function bounds({ low, high }: Interval): string {
  return low === null || high === null ? 'none' : `${low.toFixed(2)} to ${high.toFixed(2)}`;
}
