// fleetstep audit settings | limits | stop | resume

import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import {
  actionTypes,
  configure,
  limitScopes,
  modes,
  readControls,
  resetBreaker,
  setLimits,
  turnSwitch,
} from '../audit/index.js';
import type { ActionType, Controls, LimitChange, Settings } from '../audit/index.js';
import { withControls } from './audit-deadline.js';
import type { ControlsAccess } from './audit-deadline.js';
import { byOption, companyOption, truth } from './database.js';
import { jsonOption, whole } from './options.js';
import { printJson, table } from './print.js';

const companyArgument = (): Argument => new Argument('<company>', 'its id').argParser(whole(1));

async function showControls(access: ControlsAccess, companyId: number, json: boolean): Promise<void> {
  const controls = await access.ask((sql) => readControls(sql, companyId));
  if (json) printJson(controls);
  else process.stdout.write(controlsText(controls));
}

function controlsText({ company, settings, stoppedAll, limits, broken }: Controls): string {
  const rules = Object.entries(settings)
    .filter(([name, value]) => name.startsWith('auto') && value === true)
    .map(([name]) => name);
  return (
    `${company}: ${settings.mode}${settings.dryRun ? ', dry run' : ''}${settings.stopped ? ', STOPPED' : ''}${stoppedAll ? ', ALL COMPANIES STOPPED' : ''}\n` +
    `acts alone: ${rules.join(', ') || 'nothing'}; adjust_time up to ${settings.adjustTimeMaxMinutes} min; a type stops after ${settings.breakerFailures} failures in a row; own approval: ${settings.ownApproval ? 'allowed' : 'not allowed'}\n` +
    broken.map(({ actionType, failures }) => `${actionType} is stopped after ${failures} failures\n`).join('') +
    `${table(
      ['limit', 'per', 'kind', 'capacity', 'left', 'taken'],
      limits.map(({ scope, per, kind, capacity, left, taken }) => [
        scope,
        per,
        kind,
        String(capacity),
        String(left),
        String(taken),
      ]),
    )}\n`
  );
}

interface SettingsOptions extends Partial<Settings> {
  readonly resetBreaker?: ActionType;
  readonly by: string;
  readonly json: boolean;
}

/** The `audit settings` command. */
export function settingsCommand(): Command {
  const rule = (flag: string, what: string): Option =>
    new Option(`${flag} <bool>`, `FULLY_AUTO may ${what} without being asked`).argParser(truth);
  return new Command('settings')
    .description("Show a company's mode, rules, limits and what is left of them; with options, change them.")
    .addArgument(companyArgument())
    .addOption(new Option('--mode <mode>', 'who decides').choices([...modes]))
    .addOption(rule('--auto-assign', 'assign'))
    .addOption(rule('--auto-reassign', 'reassign'))
    .addOption(rule('--auto-notify-customer', 'notify customers'))
    .addOption(rule('--auto-adjust-time', 'move times'))
    .addOption(rule('--auto-reoptimize', 'reoptimize'))
    .addOption(new Option('--adjust-time-max-minutes <n>', 'the longest delay decided alone').argParser(whole(0, 1440)))
    .addOption(new Option('--dry-run <bool>', 'decide and record, but do nothing').argParser(truth))
    .addOption(
      new Option('--breaker-failures <n>', 'failures in a row that stop a type; 0: never').argParser(whole(0, 1000)),
    )
    .addOption(
      new Option('--own-approval <bool>', 'whoever asked for an action may approve it himself').argParser(truth),
    )
    .addOption(new Option('--reset-breaker <type>', 'let a stopped type act again').choices([...actionTypes]))
    .addOption(byOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit settings 1 --mode FULLY_AUTO --auto-notify-customer on')
    .action(async (company: number, options: SettingsOptions) => {
      const { by, json, resetBreaker: type, ...changes } = options;
      const asked = Object.keys(changes).length > 0;
      const what = asked || type !== undefined ? `the change of settings of company ${company}` : undefined;
      await withControls(what, async (access) => {
        if (asked) await access.ask((sql) => configure(sql, company, changes, by));
        if (type !== undefined) await access.once((sql) => resetBreaker(sql, company, type, by));
        access.changed();
        await showControls(access, company, json);
      });
    });
}

/** `reassign/hour=10`, `all/day=500!` (strict), `all/day=500:bucket`, `driver/hour=none` */
function limitChange(text: string, before: LimitChange[] = []): LimitChange[] {
  const found = /^(\w+)\/(hour|day)=(\d+|none)(!|:bucket|:window)?$/.exec(text);
  const scope = limitScopes.find((name) => name === found?.[1]);
  if (found === null || scope === undefined) {
    throw new InvalidArgumentError(
      `It must be like reassign/hour=10, all/day=500! or all/day=500:bucket, of ${limitScopes.join(', ')}.`,
    );
  }
  // Without a kind, it stays as it is.
  const [, , per, capacity, kind] = found;
  const change: LimitChange = {
    scope,
    per: per as LimitChange['per'],
    ...(kind === undefined ? {} : { kind: kind === ':bucket' ? 'bucket' : 'window' }),
    capacity: capacity === 'none' ? null : Number(capacity),
  };
  return [...before, change];
}

/** The `audit limits` command. */
export function limitsCommand(): Command {
  return new Command('limits')
    .description("Show a company's limits and what is left of them; with --set, change them.")
    .addArgument(companyArgument())
    .addOption(
      new Option(
        '--set <limit...>',
        'such as reassign/hour=10; with ! (or :window) never more than that within any hour or day, with :bucket evenly refilled, else as it is; driver/hour=5 for each driver, =none to drop it',
      ).argParser(limitChange),
    )
    .addOption(byOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit limits 1 --set all/hour=40 reassign/day=20!')
    .action(async (company: number, options: { set?: LimitChange[]; by: string; json: boolean }) => {
      const { set, by, json } = options;
      const what = set === undefined ? undefined : `the change of limits of company ${company}`;
      await withControls(what, async (access) => {
        if (set !== undefined) await access.once((sql) => setLimits(sql, company, set, by));
        access.changed();
        await showControls(access, company, json);
      });
    });
}

function switchCommand(name: string, stopped: boolean, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(companyOption())
    .addOption(new Option('--all', 'all companies').default(false))
    .addOption(byOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `

A database that does not answer is given up after 2 s, an embedded server after 6 s at most: then exit code 1, and the switch is not
known to have been turned.

Example: fleetstep audit ${name} --company 1`,
    )
    .action(async (options: { company?: number; all: boolean; by: string; json: boolean }, command: Command) => {
      const { company, all, by, json } = options;
      if (all === (company !== undefined)) command.error('error: give either --company <id> or --all');
      const scope = company ?? 'all';
      const whose = company === undefined ? 'all companies' : `company ${company}`;
      // Done twice, it changes nothing the second time; letting go on is done soon or not at all.
      await withControls(`the ${stopped ? 'stop' : 'resumption'} of ${whose}`, (access) =>
        access.ask((sql) => turnSwitch(sql, scope, stopped, by)),
      );
      if (json) printJson({ stopped, ...(company === undefined ? { all } : { company }) });
      else process.stdout.write(`${whose}: ${stopped ? 'stopped' : 'running'}\n`);
    });
}

/** The `audit stop` command. */
export function stopCommand(): Command {
  return switchCommand(
    'stop',
    true,
    'The kill switch: when this returns, no action is begun any more, and none is delivered again after a failure.',
  );
}

/** The `audit resume` command. */
export function resumeCommand(): Command {
  return switchCommand('resume', false, 'Takes the kill switch back.');
}
