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
import {
  dataOption,
  jsonOption,
  outputFile,
  scenarioOption,
  seedOption,
  splitOption,
  whole,
  workersOption,
} from './options.js';
import { foresightLine, foresightOfMeans } from './hindsight.js';
import type { Foresight } from './hindsight.js';
import { askedPolicy } from './policies.js';
import { counted, percent, printJson, progress, table } from './print.js';
import { countTestUse } from './test-uses.js';
import type { GuardName } from '../workers/index.js';

interface CompareOptions {
  readonly scenario: string;
  readonly data?: string;
  readonly split: Split;
  readonly episodes?: number;
  readonly seed: number;
  readonly workers: number;
  readonly svg?: string;
  readonly markdown?: string;
  readonly robustness: boolean;
  readonly strict: boolean;
  readonly json: boolean;
}

/** What is printed: the comparison, and what stands beside it. */
interface Report extends ComparisonResult {
  /** Perfect foresight on the same episodes; null where there is none. */
  readonly hindsight: Foresight | null;
  /** Of each run that was compared on the test split: how often it has met it. */
  readonly testUses: Readonly<Record<string, number>>;
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
    .addOption(
      new Option(
        '--robustness',
        'also play with 0.7 and 1.3 times the demand, and with a fifth fewer and more drivers: the first policy against the baseline',
      ).default(false),
    )
    .addOption(new Option('--strict', 'the verdict is "fail", too, where a guardrail is broken').default(false))
    .addOption(new Option('--svg <file>', 'write a picture of means and intervals').argParser(outputFile))
    .addOption(new Option('--markdown <file>', 'write the tables as Markdown').argParser(outputFile))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
The baseline is the rule with the highest mean return on validation episodes. Intervals are 95% bootstrap intervals over training
seeds and episodes; differences are paired by episode. Exit code: 0 if the first policy passes (its difference from the baseline
is above 0 with all of its interval), 3 if it fails, 4 if this is undecided.

Guardrails are figures that a mean return hides: lateness of urgent bookings, the 90th percentile of the wait, bookings that expire,
empty kilometres, the load of the busiest driver. One is broken if the first policy is worse than the baseline by more than is
tolerated, with all of the interval. Uses of the test split are counted in each run's folder (test-uses.jsonl).

Examples:
  fleetstep compare hungarian edf --scenario geneva-live
  fleetstep compare runs/geneva-ppo edf --robustness --strict --json
  fleetstep compare "runs/geneva-ppo-s*" runs/geneva-linear --split test --episodes 1000 --svg comparison.svg`,
    )
    .action(async (names: string[], options: CompareOptions, command: Command) => {
      const { compiled, contenders, runs } = await asked(names, options, command);
      const bar = progress('comparing', options.json);
      const result = (await comparePolicies({
        compiled,
        contenders,
        split: options.split,
        episodes: options.episodes,
        seed: options.seed,
        workers: options.workers,
        robustness: options.robustness,
        strict: options.strict,
        progress: (done, total) => bar.update(Math.min(done, total), total, `${done}/${total} episodes`),
      }).finally(() => bar.stop()))!;
      const { split, seed, workers, json } = options;
      const means = Object.fromEntries(result.entries.map(({ policy, mean }) => [policy, mean]));
      const played = { split, seed, workers, episodes: result.episodes };
      const report: Report = {
        ...result,
        hindsight: await foresightOfMeans(compiled, played, means, json),
        testUses: split === 'test' ? testUses(runs, result.episodes) : {},
      };
      if (options.svg !== undefined) writeFileAtomic(options.svg, comparisonSvg(report));
      if (options.markdown !== undefined) writeFileAtomic(options.markdown, markdown(report));
      if (json) printJson(report);
      else process.stdout.write(text(report));
      process.exitCode = exitCodes[result.verdict];
    });
}

async function asked(
  names: readonly string[],
  options: CompareOptions,
  command: Command,
): Promise<{ compiled: CompiledScenario; contenders: Contender[]; runs: readonly string[] }> {
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
  return { compiled, contenders, runs: groups.flat() };
}

function testUses(runs: readonly string[], episodes: number): Record<string, number> {
  const now = new Date();
  const counts = [...new Set(runs)].map((run) => [run, countTestUse(run, 'compare', episodes, now)] as const);
  return Object.fromEntries(counts.filter(([, uses]) => uses !== null) as [string, number][]);
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

const guardHead = ['guardrail', 'first', 'baseline', 'difference', '95% interval', 'tolerated', 'state'];

function guardRows({ guardrails, entries, baseline }: ComparisonResult): string[][] {
  const other = entries.find(({ policy }) => policy === baseline)!;
  return guardrails.map(({ name, tolerance, state, ...interval }) => [
    guardLabel[name],
    entries[0].guards[name].toFixed(2),
    other.guards[name].toFixed(2),
    signed(interval.mean),
    bounds(interval),
    `+${tolerance}`,
    state,
  ]);
}

const guardLabel: Readonly<Record<GuardName, string>> = {
  topLateMinutes: 'minutes late, priority 4 and 5',
  waitP90Minutes: 'minutes of wait, 90th percentile',
  expiredShare: 'share expired or refused',
  emptyKm: 'empty km a booking',
  worstLoad: 'bookings of the busiest driver',
};

const robustnessHead = ['variant', 'baseline', 'difference', '95% interval', 'better in', 'verdict'];

function robustnessRows({ robustness }: ComparisonResult): string[][] {
  return robustness.map((entry) =>
    'reason' in entry
      ? [entry.variant, '-', '-', '-', '-', 'does not fit']
      : [
          entry.variant,
          entry.baselineMean.toFixed(2),
          signed(entry.mean),
          bounds(entry),
          percent(entry.probabilityOfImprovement),
          entry.verdict,
        ],
  );
}

/** The tables that have rows. */
function tables(report: Report): [readonly string[], readonly string[][]][] {
  const all: [readonly string[], readonly string[][]][] = [
    [entryHead, entryRows(report)],
    [differenceHead, differenceRows(report)],
    [guardHead, guardRows(report)],
    [robustnessHead, robustnessRows(report)],
  ];
  return all.filter(([, rows]) => rows.length > 0);
}

/** Sentences below the tables. */
function notes({ hindsight, testUses }: Report): string[] {
  return [
    ...(hindsight === null ? [] : [foresightLine(hindsight)]),
    ...Object.entries(testUses).map(([run, uses]) => `use ${uses} of the test split by ${run}`),
  ];
}

function text(report: Report): string {
  const made = tables(report).map(([head, rows]) => table(head, rows));
  return `${[...made, ...notes(report), headline(report)].join('\n')}\n`;
}

function markdown(report: Report): string {
  const rows = (head: readonly string[], body: readonly (readonly string[])[]): string =>
    [head, head.map((_, k) => (k === 0 ? '---' : '--:')), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
  const made = tables(report).map(([head, body]) => rows(head, body));
  return `${[`${headline(report)}.`, ...made, ...notes(report)].join('\n\n')}\n`;
}

function signed(value: number): string {
  return `${value >= 0 ? '+' : ''}${value.toFixed(2)}`;
}

function bounds({ low, high }: Interval): string {
  return low === null || high === null ? 'none' : `${low.toFixed(2)} to ${high.toFixed(2)}`;
}
