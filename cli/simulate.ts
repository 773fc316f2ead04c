// fleetstep simulate

import { Command, Option } from 'commander';
import type { CompiledScenario, Split } from '../engine/index.js';
import { writeFileAtomic } from '../files/index.js';
import { episodeLines, episodePage, episodeSvg, episodeView } from '../report/index.js';
import { simulate, simulateInThread } from '../workers/index.js';
import type { Simulation } from '../workers/index.js';
import {
  dataOption,
  hangSecondsOption,
  jsonOption,
  outputFile,
  policyOption,
  scenarioOption,
  seedOption,
  splitOption,
  whole,
} from './options.js';
import { askedPolicy } from './policies.js';
import { kpiTable, printJson } from './print.js';
import { version } from './version.js';

interface SimulateOptions {
  readonly policy: string;
  readonly scenario: string;
  readonly data?: string;
  readonly split: Split;
  readonly episode: number;
  readonly seed: number;
  readonly hangSeconds: number;
  readonly events?: string | true;
  readonly html?: string;
  readonly svg?: string;
  readonly json: boolean;
}

/** The `simulate` command. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('Play one held-out episode and report its key figures and events.')
    .addOption(policyOption())
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(splitOption())
    .addOption(
      new Option('--episode <n>', 'number of the episode within the split, as in "eval"')
        .argParser(whole(0, 1e6))
        .default(0),
    )
    .addOption(seedOption())
    .addOption(hangSecondsOption())
    .addOption(
      new Option(
        '--events [file.jsonl]',
        'list every event; with a file: write the whole episode there as JSON Lines, for programs and "fleetstep verify"',
      ).argParser(outputFile),
    )
    .addOption(
      new Option(
        '--html <file.html>',
        'write the episode as a page with an animated map: one file that needs no network',
      ).argParser(outputFile),
    )
    .addOption(
      new Option(
        '--svg <file.svg>',
        "write the episode as a picture: each driver's day, and what was late or lost",
      ).argParser(outputFile),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  fleetstep simulate --policy edf --events
  fleetstep simulate --policy edf --events episode.jsonl && fleetstep verify episode.jsonl
  fleetstep simulate --scenario geneva-live --policy planner --html episode.html --svg episode.svg
  fleetstep simulate --policy ./mine.mjs --episode 2
  fleetstep simulate --policy greedy --scenario nyc-small --data ../HybridMADRL-AMoD --episode 3 --json`,
    )
    .action(async (options: SimulateOptions, command: Command) => {
      const { compiled, policy } = await askedPolicy(options, command);
      const { split, episode, seed } = options;
      const request = { compiled, policy, split, episode, seed };
      const result =
        policy.kind === 'module' ? await simulateInThread(request, options.hangSeconds) : simulate(request);
      const played = { request, simulation: result };
      if (typeof options.events === 'string') {
        writeFileAtomic(options.events, episodeLines(played, `fleetstep ${version}`));
      }
      if (options.html !== undefined) writeFileAtomic(options.html, episodePage(played));
      if (options.svg !== undefined) writeFileAtomic(options.svg, episodeSvg(episodeView(played)));
      if (options.json) {
        const { record: _, ...told } = result;
        printJson(told);
        return;
      }
      if (options.events === true) listEvents(result, compiled);
      process.stdout.write(
        `${result.scenario}, episode ${result.id}, policy ${result.policy}: return ${result.return.toFixed(2)}\n` +
          `${kpiTable(result.kpis)}\n`,
      );
    });
}

function listEvents({ events }: Simulation, { scenario }: CompiledScenario): void {
  for (const { second, kind, booking, driver } of events) {
    const parts = [clock(scenario.startSecondOfDay + second), kind.padEnd(9)];
    if (booking >= 0) parts.push(`booking ${booking}`);
    if (driver >= 0) parts.push(`driver ${driver}`);
    process.stdout.write(`${parts.join('  ')}\n`);
  }
}

function clock(second: number): string {
  const part = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${part((second / 3600) % 24)}:${part((second / 60) % 60)}:${part(second % 60)}`;
}
