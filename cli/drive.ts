// fleetstep drive

import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { SimulatedFleet } from '../advise/index.js';
import type { Answer } from '../advise/index.js';
import { ServeError } from '../serve/index.js';
import { loadScenario } from '../trips/index.js';
import { dataOption, jsonOption, scenarioOption, seedOption, whole } from './options.js';
import { kpiTable, printJson, progress } from './print.js';

interface DriveOptions {
  readonly url: string;
  readonly token: string;
  readonly policy?: string;
  readonly scenario: string;
  readonly data?: string;
  readonly seed: number;
  readonly tickMs: number;
  readonly json: boolean;
}

/** The `drive` command. */
export function driveCommand(): Command {
  return new Command('drive')
    .description('A simulated company that asks a running service at every tick and does what it says: watch it live.')
    .addOption(new Option('--url <url>', 'of the service').default('http://127.0.0.1:8080'))
    .addOption(new Option('--token <token>', 'of a dispatcher').env('FLEETSTEP_TOKEN').makeOptionMandatory())
    .addOption(new Option('--policy <name>', 'who decides; default: the service’s own'))
    .addOption(
      new Option('--tick-ms <n>', 'milliseconds that a tick takes: the dispatcher’s time to look; 0 for none')
        .argParser(whole(0, 600_000))
        .default(2000),
    )
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(seedOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  fleetstep drive --token "$TOKEN"
  fleetstep drive --token "$TOKEN" --tick-ms 10000
  fleetstep drive --token "$TOKEN" --policy edf --tick-ms 0 --json

Ctrl-C ends the day early, and prints what it came to.`,
    )
    .action(async (options: DriveOptions) => {
      const fleet = new SimulatedFleet(loadScenario(options), options.seed);
      const bar = progress('driving', options.json);
      const started = fleet.now;
      let asked = 0;
      let taken = 0;
      let recommended = 0;
      const stop = new AbortController();
      const end = (): void => stop.abort();
      process.once('SIGINT', end).once('SIGTERM', end);
      while (!fleet.over && !stop.signal.aborted) {
        const answer = await ask(options, {
          ...fleet.state(),
          ...(options.policy === undefined ? {} : { policy: options.policy }),
        });
        asked++;
        recommended += answer.assignments.length;
        taken += fleet.apply(answer);
        fleet.advance();
        const clock = new Date(fleet.now * 1000).toISOString().slice(11, 16);
        bar.update(fleet.now - started, fleet.length, `${clock}, ${taken} assigned`);
        // Told to end, it ends at once.
        await sleep(options.tickMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
      process.off('SIGINT', end).off('SIGTERM', end);
      bar.stop();
      const { return: total, kpis } = fleet.figures();
      if (options.json) printJson({ over: fleet.over, asked, recommended, taken, return: total, kpis });
      else {
        process.stdout.write(
          `${fleet.over ? 'the day is over' : 'ended early'}: asked ${asked} times, ${taken} of ${recommended} recommended assignments driven: return ${total.toFixed(2)}\n` +
            `${kpiTable(kpis)}\n`,
        );
      }
    });
}

async function ask({ url, token }: DriveOptions, state: object): Promise<Answer> {
  let response;
  try {
    response = await fetch(new URL('/v1/recommend', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(state),
    });
  } catch (cause) {
    throw new ServeError('ERR_SERVICE', `no service at ${url}: start one with "fleetstep serve"`, { cause });
  }
  const answer = (await response.json()) as Answer & { error?: { message: string } };
  if (!response.ok) {
    throw new ServeError('ERR_SERVICE', `the service answered ${response.status}: ${answer.error?.message ?? ''}`);
  }
  return answer;
}
