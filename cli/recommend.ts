// fleetstep recommend

import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { AdviseError, Recommender, checkRequest, hashOf, isSinceMidnight } from '../advise/index.js';
import type { Answer, RecommendRequest } from '../advise/index.js';
import { dataOption, jsonOption, scenarioOption } from './options.js';
import { isModule, ownPolicyName } from '../policy/index.js';
import { loadPolicies, runOption } from './policies.js';
import type { PolicyOptions } from './policies.js';
import { printJson, table } from './print.js';
import { version } from './version.js';

interface RecommendOptions extends PolicyOptions {
  readonly input: string;
  readonly policy?: string;
  readonly explain?: boolean;
  readonly json: boolean;
}

/** The `recommend` command. */
export function recommendCommand(): Command {
  return new Command('recommend')
    .description(
      'Recommend assignments for a live state in a file: the answer of POST /v1/recommend, without a server.',
    )
    .addOption(new Option('-i, --input <file>', 'the request as JSON; - for stdin').makeOptionMandatory())
    .addOption(runOption())
    .addOption(
      new Option(
        '--policy <name|file.js>',
        'who decides, instead of the request’s own "policy": a name, or a module of your own',
      ),
    )
    .addOption(
      new Option('--explain', 'compare each assignment with its alternatives and with waiting, in simulated futures'),
    )
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  fleetstep recommend -i docs/state.json
  fleetstep recommend -i docs/state.json --explain --json
  fleetstep recommend -i state.json --policy ./mine.mjs
  fleetstep recommend -i state.json --run runs/geneva-ppo-s1-20260131-120000

Faults of single shipments are printed to stderr; the other shipments are answered. Exit codes: 0 if there is an answer;
2 if the request is not valid, or none of its shipments is; 1 if the answer cannot be written.`,
    )
    .action(async (options: RecommendOptions) => {
      const { explain } = options;
      const own = options.policy !== undefined && isModule(options.policy) ? options.policy : undefined;
      const policy = own === undefined ? options.policy : ownPolicyName(own);
      const policies = await loadPolicies(own === undefined ? options : { ...options, own: [own] });
      const recommender = new Recommender(policies, version);
      const body = { ...readBody(options.input), ...(policy === undefined ? {} : { policy }) };
      const request = checkRequest(explain === true ? { ...body, explain } : body);
      const answer = recommender.recommend(request, { decisionId: 'none', stateHash: hashOf(request) });
      // Without a server there is no record.
      const unrecorded = { ...answer, provenance: { ...answer.provenance, recorded: false } };
      if (options.json) printJson(unrecorded);
      else process.stdout.write(show(unrecorded, request));
      for (const { message } of answer.violations) process.stderr.write(`fleetstep: ${message}\n`);
      if (allAtFault(request, answer)) process.exitCode = 2;
    });
}

function readBody(input: string): object {
  let text;
  try {
    text = readFileSync(input === '-' ? 0 : input, 'utf8');
  } catch (cause) {
    throw new AdviseError('ERR_REQUEST', `cannot read ${input}: ${(cause as Error).message}`, { cause });
  }
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  } catch (cause) {
    throw new AdviseError('ERR_REQUEST', `${input} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  throw new AdviseError('ERR_REQUEST', `${input} is not a JSON object: expected a request as in docs/state.json`);
}

function allAtFault({ shipments }: RecommendRequest, { violations }: Answer): boolean {
  const indices = violations.flatMap(({ path }) => /^shipments\[(\d+)\]/.exec(path)?.[1] ?? []);
  return shipments.length > 0 && new Set(indices).size === shipments.length;
}

function show(answer: Answer, { time_zone: zone }: RecommendRequest): string {
  const since = isSinceMidnight(answer.as_of);
  const { clock, day, dated } = clockOf(since, zone);
  /** With the date only where it is another day. */
  const at = (second: number): string => (day(second) === day(answer.as_of) ? clock(second) : dated(second));
  const minutes = (seconds: number): string => (seconds === 0 ? '-' : `${Math.ceil(seconds / 60)} min`);
  const lines: string[] = [];
  const { provenance } = answer;
  const fallback =
    provenance.fallback === null ? '' : `, ${provenance.fallback.policy} instead (${provenance.fallback.reason})`;
  lines.push(
    `${dated(answer.as_of)} ${zone ?? (since ? 'local time' : 'UTC')}, policy ${provenance.policy}${fallback}`,
  );
  if (answer.assignments.length > 0) {
    lines.push(
      table(
        ['rank', 'shipment', 'vehicle', 'pickup', 'late', 'empty', 'next best'],
        answer.assignments.map(({ rank, shipment, vehicle, pickup_eta, lateness, approach_distance, alternatives }) => [
          String(rank),
          String(shipment),
          String(vehicle),
          at(pickup_eta),
          minutes(lateness),
          `${(approach_distance / 1000).toFixed(1)} km`,
          alternatives.length === 0 ? '-' : `${alternatives[0].vehicle} at ${at(alternatives[0].pickup_eta)}`,
        ]),
      ),
    );
  }
  for (const { rank, shipment, vehicle, reasons, what_if: whatIf } of answer.assignments) {
    lines.push(`${pc.bold(String(rank))} shipment ${shipment} to vehicle ${vehicle}: ${reasons.join('; ')}`);
    for (const { vehicle: other, late, minutes_late, lost } of whatIf?.candidates ?? []) {
      const who = other === null ? 'wait' : `vehicle ${other}`;
      lines.push(
        `    ${who}: late pickups ${percent(late.mean)} (${percent(late.low)} to ${percent(late.high)}), ` +
          `${minutes_late.mean.toFixed(1)} min late in all, ${lost.mean.toFixed(1)} lost`,
      );
    }
  }
  const whatIf = answer.assignments.find(({ what_if: simulated }) => simulated !== null)?.what_if;
  if (whatIf !== undefined && whatIf !== null) {
    const demand = whatIf.new_demand ? ', in which new shipments appear as in the scenario of the policy' : '';
    lines.push(
      `    over ${whatIf.futures} simulated futures${demand}; lost: shipments, new ones too, that no vehicle is assigned to before their window ends`,
    );
  }
  for (const { shipment, reason, revisit_at: revisit, latest_safe: safe } of answer.waiting) {
    lines.push(
      `waiting    ${shipment}: ${reason}; ask again at ${dated(revisit)}${safe === null ? '' : `, safe until ${dated(safe)}`}`,
    );
  }
  for (const { shipment, reasons } of answer.unassigned) {
    lines.push(`${pc.yellow('unassigned')} ${shipment}: ${reasons.map(({ message }) => message).join('; or ')}`);
  }
  for (const { shipment, vehicle, pickup_eta, lateness, breaks } of answer.locked) {
    const late = lateness > 0 ? `, ${minutes(lateness)} late` : '';
    const broken = breaks.length > 0 ? pc.yellow(`, breaks: ${breaks.join(', ')}`) : '';
    lines.push(`locked     ${shipment} stays with vehicle ${vehicle}, pickup ${at(pickup_eta)}${late}${broken}`);
  }
  return `${lines.join('\n')}\n`;
}

/** How seconds of a request's clock are written. A clock that counts from a midnight knows no dates, but the days since. */
function clockOf(
  since: boolean,
  zone = 'UTC',
): Readonly<Record<'clock' | 'day' | 'dated', (second: number) => string>> {
  const timeZone = since ? 'UTC' : zone;
  const time = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
  // Swedish dates are written as in ISO 8601.
  const date = new Intl.DateTimeFormat('sv-SE', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  const clock = (second: number): string => time.format(second * 1000);
  const day = (second: number): string =>
    since ? (second < 86_400 ? '' : `day ${1 + Math.floor(second / 86_400)}, `) : `${date.format(second * 1000)} `;
  return { clock, day, dated: (second) => `${day(second)}${clock(second)}` };
}

function percent(share: number): string {
  return `${Math.round(100 * Math.min(1, Math.max(0, share)))}%`;
}
