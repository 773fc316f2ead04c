// How results look on a terminal: tables, and a progress bar on stderr that becomes a line now and then in a log.

import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import pc from 'picocolors';
import { kpiMeaning, kpiNames } from '../engine/index.js';
import type { Kpis } from '../engine/index.js';
import { infinityToWord } from '../files/index.js';
import { faultMeaning } from '../trips/index.js';
import type { FaultName, QualityReport } from '../trips/index.js';
import type { Evaluation } from '../workers/index.js';
import { percent } from '../report/words.js';

export { duration, percent, short } from '../report/words.js';

/** Writes `value` to stdout as one line of JSON; an infinity becomes the word "Infinity". */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, infinityToWord)}\n`);
}

/** A table with a header; the first column is aligned left, the others right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: head.map((text) => pc.bold(text)),
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, k) => (k === 0 ? 'left' : 'right')),
  });
  for (const row of rows) made.push([...row]);
  return made.toString();
}

/** Policies by mean return, best first. */
export function evaluationTable(evaluations: readonly Evaluation[]): string {
  const rows = [...evaluations].sort((a, b) => b.meanReturn - a.meanReturn);
  return table(
    // Within 80 columns.
    ['policy', 'return', 'served', 'on time', 'wait', 'late', 'empty', 'busy'],
    rows.map(({ policy, meanReturn, kpis }) => [
      policy,
      meanReturn.toFixed(2),
      percent(kpis.serviceRate),
      percent(kpis.onTimeRate),
      `${kpis.meanWaitMinutes.toFixed(1)} min`,
      `${kpis.meanLatenessMinutes.toFixed(1)} min`,
      percent(kpis.emptyShare),
      percent(kpis.utilisation),
    ]),
  );
}

/** Faults that were found, with what they mean; empty if there are none. */
export function faultTable(faults: QualityReport['faults']): string {
  const found = Object.entries(faults).filter(([, { count }]) => count > 0);
  if (found.length === 0) return '';
  return table(
    ['fault', 'count', 'such as', 'meaning'],
    found.map(([name, { count, examples }]) => [
      name,
      String(count),
      examples.slice(0, 3).join(', '),
      faultMeaning[name as FaultName],
    ]),
  );
}

/** `12.34 ± 1.23 (95%)`; of a single episode without an interval, as it has none. */
export function withInterval(mean: number, halfWidth: number | null): string {
  return halfWidth === null
    ? `${mean.toFixed(2)} (one episode: no interval)`
    : `${mean.toFixed(2)} ± ${halfWidth.toFixed(2)} (95%)`;
}

/** Figures of an episode with what they mean. */
export function kpiTable(kpis: Kpis): string {
  return table(
    ['figure', 'value', 'meaning'],
    kpiNames.map((name) => [name, Number(kpis[name].toFixed(3)).toString(), kpiMeaning[name]]),
  );
}

/** `1 episode`, `2 episodes` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Progress of a long command. */
export interface Progress {
  update(done: number, total: number, detail: string): void;
  stop(): void;
}

/** Seconds between lines where stderr is no terminal. */
const LINE_SECONDS = 10;

/** Progress on stderr; with `silent`, none. */
export function progress(label: string, silent: boolean): Progress {
  if (silent) return { update: () => undefined, stop: () => undefined };
  if (process.stderr.isTTY) {
    const bar = new SingleBar({
      format: `${label} {bar} {percentage}% {detail}`,
      barsize: 20,
      hideCursor: true,
      stream: process.stderr,
      stopOnComplete: false,
      clearOnComplete: false,
    });
    let started = false;
    return {
      update: (done, total, detail) => {
        if (started) bar.update(done, { detail });
        else bar.start(total, done, { detail });
        started = true;
      },
      stop: () => {
        if (started) bar.stop();
      },
    };
  }
  let last = -Infinity;
  return {
    update: (done, total, detail) => {
      const now = performance.now() / 1000;
      if (now - last < LINE_SECONDS && done < total) return;
      last = now;
      process.stderr.write(`${label} ${Math.floor((100 * done) / total)}% ${detail}\n`);
    },
    stop: () => undefined,
  };
}
