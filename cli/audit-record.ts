// fleetstep audit list | show | review | stats | export

import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Argument, Command, Option } from 'commander';
import { stringify } from 'csv-stringify';
import {
  actionColumns,
  actionStatuses,
  actionTypes,
  exportActions,
  listActions,
  readAction,
  reviewAction,
  statistics,
  statisticsPeriods,
} from '../audit/index.js';
import type { ActionDetail, ActionFilter, ActionRow, Figures, PageRequest, StatisticsPeriod } from '../audit/index.js';
import { byOption, companyOption, truth, withConnection } from './database.js';
import { jsonOption, whole } from './options.js';
import { printJson, table } from './print.js';

interface FilterOptions {
  readonly company?: number;
  readonly type?: ActionFilter['actionType'];
  readonly status?: ActionFilter['status'];
  readonly success?: boolean;
  readonly reviewed?: boolean;
  readonly booking?: number;
  readonly driver?: number;
  readonly from?: string;
  readonly to?: string;
}

function addFilters(command: Command): Command {
  return command
    .addOption(companyOption())
    .addOption(new Option('--type <type>', 'only this type').choices([...actionTypes]))
    .addOption(new Option('--status <status>', 'only this status').choices([...actionStatuses]))
    .addOption(new Option('--success <bool>', 'only those that succeeded, or that failed').argParser(truth))
    .addOption(new Option('--reviewed <bool>', 'only those that were reviewed, or that were not').argParser(truth))
    .addOption(new Option('--booking <id>', 'only of this booking').argParser(whole(1)))
    .addOption(new Option('--driver <id>', 'only of this driver').argParser(whole(1)))
    .addOption(new Option('--from <time>', 'from this time on, such as 2026-01-31T08:00:00Z'))
    .addOption(new Option('--to <time>', 'before this time'));
}

function filterOf(options: FilterOptions): ActionFilter {
  const { company, type, status, success, reviewed, booking, driver, from, to } = options;
  return {
    ...(company === undefined ? {} : { companyId: company }),
    ...(type === undefined ? {} : { actionType: type }),
    ...(status === undefined ? {} : { status }),
    ...(success === undefined ? {} : { success }),
    ...(reviewed === undefined ? {} : { reviewed }),
    ...(booking === undefined ? {} : { bookingId: booking }),
    ...(driver === undefined ? {} : { driverId: driver }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

interface ListOptions extends FilterOptions {
  readonly page?: number;
  readonly perPage: number;
  readonly cursor?: string;
  readonly json: boolean;
}

/** The `audit list` command. */
export function listCommand(): Command {
  return addFilters(new Command('list'))
    .description('Actions, newest first, a page at a time.')
    .addOption(new Option('--per-page <n>', 'actions on a page').argParser(whole(1, 200)).default(20))
    .addOption(new Option('--page <n>', 'which page').argParser(whole(1)))
    .addOption(new Option('--cursor <cursor>', 'go on after the page that gave it'))
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit list --company 1 --type reassign --success false')
    .action(async (options: ListOptions) => {
      const { page, perPage, cursor, json } = options;
      const request: PageRequest = {
        ...filterOf(options),
        perPage,
        ...(page === undefined ? {} : { page }),
        ...(cursor === undefined ? {} : { cursor }),
      };
      const result = await withConnection((connection) => listActions(connection, request));
      if (json) {
        printJson(result);
        return;
      }
      const { actions, next, total, totalIsExact } = result;
      const count = total === undefined ? '' : `${totalIsExact === true ? '' : 'over '}${total} actions in all; `;
      process.stdout.write(
        `${table(
          ['id', 'created', 'company', 'type', 'status', 'ms', 'reviewed'],
          actions.map((action) => [
            String(action.id),
            shortTime(action.created_at),
            String(action.company_id),
            action.action_type,
            action.refusal === null
              ? action.status
              : `${action.status}: ${action.refusal.bucket ?? action.refusal.reason}`,
            action.execution_time_ms?.toFixed(0) ?? '',
            action.reviewed_by ?? '',
          ]),
        )}\n${count}${actions.length} shown${next === null ? '' : `; more: --cursor ${next}`}\n`,
      );
    });
}

function shortTime(time: Date): string {
  return time.toISOString().slice(0, 19).replace('T', ' ');
}

const idArgument = (): Argument => new Argument('<id>', 'the action').argParser(whole(1));

/** The `audit show` command. */
export function showCommand(): Command {
  return new Command('show')
    .description('One action: all its fields, its reviews, its entries in the ledger.')
    .addArgument(idArgument())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit show 17')
    .action(async (id: number, { json }: { json: boolean }) => {
      show(await withConnection((connection) => readAction(connection, id)), json);
    });
}

/** The `audit review` command. */
export function reviewCommand(): Command {
  return new Command('review')
    .description('Put on record that a person has looked at an action. Earlier reviews are kept.')
    .addArgument(idArgument())
    .addOption(new Option('--notes <text>', 'up to 1000 characters'))
    .addOption(byOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit review 17 --notes "right, the driver was nearer"')
    .action(async (id: number, { notes, by, json }: { notes?: string; by: string; json: boolean }) => {
      const review = { reviewer: by, ...(notes === undefined ? {} : { notes }) };
      show(await withConnection((connection) => reviewAction(connection, id, review)), json);
    });
}

function show(action: ActionDetail, json: boolean): void {
  if (json) {
    printJson(action);
    return;
  }
  const { reviews, entries, ...fields } = action;
  const text = (value: unknown): string =>
    value instanceof Date
      ? value.toISOString()
      : typeof value === 'string'
        ? value
        : value === null
          ? ''
          : JSON.stringify(value);
  process.stdout.write(
    `${Object.entries(fields)
      .map(([name, value]) => `${name.padEnd(29)} ${text(value)}\n`)
      .join('')}${reviews
      .map(({ reviewer, notes, at }) => `review ${at.toISOString()} by ${reviewer}: ${notes ?? ''}\n`)
      .join('')}${entries
      .map(({ seq, kind, at, hash }) => `entry ${seq} ${kind} ${at.toISOString()} ${hash}\n`)
      .join('')}`,
  );
}

/** The `audit stats` command. */
export function statsCommand(): Command {
  return new Command('stats')
    .description('Figures of the last hour, day, week or month (30 days).')
    .addOption(new Option('--period <period>', 'how far back').choices([...statisticsPeriods]).default('day'))
    .addOption(new Option('--to <time>', 'the period ends here (default: now)'))
    .addOption(companyOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit stats --period week --company 1')
    .action(async (options: { period: StatisticsPeriod; to?: string; company?: number; json: boolean }) => {
      const { period, to, company, json } = options;
      const result = await withConnection((connection) => statistics(connection, { period, to, companyId: company }));
      if (json) {
        printJson(result);
        return;
      }
      const row = (name: string, figures: Figures): string[] => [
        name,
        String(figures.total),
        String(figures.succeeded),
        String(figures.failed),
        String(figures.refused),
        String(figures.unknown),
        figures.successRate === null ? '' : `${(100 * figures.successRate).toFixed(1)}%`,
        figures.meanExecutionMs?.toFixed(1) ?? '',
        figures.p95ExecutionMs?.toFixed(1) ?? '',
      ];
      process.stdout.write(
        `${shortTime(result.from)} to ${shortTime(result.to)} UTC\n${table(
          ['', 'actions', 'ok', 'failed', 'refused', 'unknown', 'success', 'mean ms', 'p95 ms'],
          [
            row('all', result.totals),
            ...result.byType.map((figures) => row(figures.actionType, figures)),
            ...result.byCompany.map((figures) => row(`company ${figures.companyId}`, figures)),
          ],
        )}\n`,
      );
    });
}

/** The `audit export` command. */
export function exportCommand(): Command {
  return addFilters(new Command('export'))
    .description('Write actions out, oldest first, as they come: a large record needs no more memory than a small one.')
    .addOption(
      new Option('--format <format>', 'csv, or jsonl: one JSON object a line')
        .choices(['csv', 'jsonl'])
        .default('jsonl'),
    )
    .addOption(new Option('--out <file>', 'where to (default: stdout)'))
    .addHelpText('after', '\nExample: fleetstep audit export --format csv --from 2026-01-01 --out actions.csv')
    .action(async (options: FilterOptions & { format: 'csv' | 'jsonl'; out?: string }) => {
      const { format, out } = options;
      await withConnection(async (connection) => {
        const rows = Readable.from(flatten(exportActions(connection, filterOf(options))));
        const text: NodeJS.ReadWriteStream =
          format === 'jsonl'
            ? new Transform({
                writableObjectMode: true,
                transform: (row, _, done) => done(null, `${JSON.stringify(row)}\n`),
              })
            : stringify({
                header: true,
                columns: [...actionColumns],
                cast: { date: (time) => time.toISOString(), boolean: String },
                // A cell that begins so would be a formula in a spreadsheet.
                escape_formulas: true,
              });
        if (out === undefined) {
          await pipeline(rows, text, process.stdout, { end: false });
          return;
        }
        // Beside it first: a fault leaves the old file, or none.
        const partial = `${out}.${process.pid}.partial`;
        const file = createWriteStream(partial, { flags: 'wx', flush: true });
        try {
          await pipeline(rows, text, file);
          renameSync(partial, out);
        } catch (error) {
          // It may still be opening, and would make the file after we have removed it.
          if (!file.closed) await new Promise<void>((closed) => file.once('close', closed));
          rmSync(partial, { force: true });
          throw error;
        }
      });
    });
}

async function* flatten(portions: AsyncIterable<ActionRow[]>): AsyncGenerator<ActionRow> {
  for await (const portion of portions) yield* portion;
}
