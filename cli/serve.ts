// fleetstep serve

import { Command, Option } from 'commander';
import type { FastifyInstance } from 'fastify';
import {
  AuditError,
  Sweeper,
  checkWay,
  firstCompany,
  listCompanies,
  migrate,
  migrationStates,
} from '../audit/index.js';
import type { Database } from '../audit/index.js';
import { Recommender } from '../advise/index.js';
import { KeyRing, ServeError, Service, WebhookConnector, dryRunConnector, roles } from '../serve/index.js';
import type { Connector, Role } from '../serve/index.js';
import { accountName, withDatabase } from './database.js';
import { dataOption, jsonOption, scenarioOption, whole } from './options.js';
import { loadPolicies, runOption } from './policies.js';
import type { PolicyOptions } from './policies.js';
import { printJson } from './print.js';
import { issueToken, keysOption, prepareKeys } from './token.js';
import { version } from './version.js';

interface ServeOptions extends Omit<PolicyOptions, 'own'> {
  readonly policy: readonly string[];
  readonly port: number;
  readonly host: string;
  readonly devToken?: Role;
  readonly company?: number;
  readonly keys: string;
  readonly runs: string;
  readonly webhook?: string;
  readonly actWithin: number;
  readonly tiles?: string;
  readonly attribution: string;
  readonly unrecorded: 'answer' | 'refuse';
  readonly maxInFlight: number;
  readonly perMinute: number;
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  readonly json: boolean;
}

/** Milliseconds that requests under way may take to end once the service is told to stop. */
const DRAIN_MS = 10_000;

/** The `serve` command. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('Recommendations, the record and its dashboard over HTTP.')
    .addOption(new Option('--port <p>', '0 for any').argParser(whole(0, 65_535)).default(8080).env('PORT'))
    .addOption(new Option('--host <address>', 'where to listen; behind a proxy with TLS, 0.0.0.0').default('127.0.0.1'))
    .addOption(new Option('--dev-token <role>', 'issue a token of this role at the start').choices([...roles]))
    .addOption(
      new Option('--company <id>', 'its company; default: the first, made if there is none').argParser(whole(1)),
    )
    .addOption(runOption())
    .addOption(
      new Option(
        '--policy <file...>',
        'modules of your own to serve, each under its file’s name; without a run the first decides unless a request names another',
      ).default([], 'none'),
    )
    .addOption(scenarioOption())
    .addOption(dataOption())
    .addOption(keysOption())
    .addOption(new Option('--runs <folder>', 'training runs to show').default('runs'))
    .addOption(
      new Option(
        '--webhook <url>',
        'where acts of mode auto go, signed with FLEETSTEP_WEBHOOK_SECRET; without: dry runs',
      ),
    )
    .addOption(
      new Option('--act-within <s>', 'seconds after a decision of mode auto within which its acts begin')
        .argParser(whole(1, 300))
        .default(10),
    )
    .addOption(
      new Option(
        '--tiles <template>',
        'map tiles for the dashboard, such as https://tile.openstreetmap.org/{z}/{x}/{y}.png',
      ),
    )
    .addOption(new Option('--attribution <text>', 'whose map that is').default('© OpenStreetMap contributors'))
    .addOption(
      new Option('--unrecorded <what>', 'shadow and recommend while the database is gone')
        .choices(['answer', 'refuse'])
        .default('answer'),
    )
    .addOption(
      new Option('--max-in-flight <n>', 'more at once are told to come again').argParser(whole(1)).default(128),
    )
    .addOption(new Option('--per-minute <n>', 'requests of one token').argParser(whole(1)).default(120_000))
    .addOption(
      new Option('--log-level <level>', 'lines of JSON on stderr')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('warn'),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  fleetstep serve --dev-token dispatcher
  fleetstep serve --port 0 --dev-token admin --json
  fleetstep serve --policy ./mine.mjs --dev-token dispatcher
  fleetstep serve --run runs/geneva-ppo-s1-20260131-120000 --webhook https://dispatch.example/acts`,
    )
    .action((options: ServeOptions, command: Command) => {
      const connector = connectorOf(options.webhook);
      prepareKeys(options.keys, command);
      return withDatabase((database) => serve(options, database, connector));
    });
}

async function serve(options: ServeOptions, database: Database, connector: Connector): Promise<void> {
  if (database.kind === 'embedded') await migrate(database);
  const { createServer } = await import('../serve/server.js');
  const policies = await loadPolicies({ ...options, own: options.policy });
  const recommender = new Recommender(policies, version);
  let say = (message: string): void => void process.stderr.write(`fleetstep: ${message}\n`);
  const keys = new KeyRing(options.keys, (message) => say(message));
  await keys.open();

  const service = new Service({
    recommender,
    database,
    connector,
    unrecorded: options.unrecorded,
    actWithinMs: options.actWithin * 1000,
  });
  /** What ends with the service, however it ends. */
  const ends = [() => service.close()];
  try {
    await checkDatabase(database, service, options);
    const app = await createServer({
      service,
      keys,
      runs: options.runs,
      version,
      maxInFlight: options.maxInFlight,
      perMinute: options.perMinute,
      tiles: options.tiles ?? null,
      attribution: options.attribution,
      logLevel: options.logLevel,
    });
    say = (message) => app.log.error(message);
    policies.report = say;
    const sweeper = new Sweeper(database, {
      report: (orphans) => app.log.warn({ acts: orphans.map(({ id }) => id) }, 'acts without an outcome'),
      fault: (error) =>
        app.log.error({ code: (error as { code?: string }).code }, 'the sweeper cannot reach the database'),
    });
    ends.push(() => sweeper.close());
    const url = await listen(app, options);
    const { devToken: role, company } = options;
    const token =
      role === undefined
        ? undefined
        : await issueToken(
            options.keys,
            { role, companyId: company ?? (await firstCompany(database)), subject: accountName() },
            8 * 3600,
          );
    if (options.json) printJson({ url, ...(token === undefined ? {} : { token }) });
    else process.stdout.write(greeting(url, token, recommender));
    await stopped();
    await Promise.race([app.close(), new Promise((done) => setTimeout(done, DRAIN_MS).unref())]);
  } finally {
    // The last that was opened first.
    for (const end of ends.reverse()) await end();
  }
}

/**
 * What is known to be wrong is said before anybody asks; a database that is only down may come back.
 * @throws AuditError `ERR_NOT_MIGRATED`, `ERR_FIELD` for a way through a pooler that does not say so; ServeError `ERR_SERVICE`
 */
async function checkDatabase(
  database: Database,
  { pool }: Service,
  { company, unrecorded }: ServeOptions,
): Promise<void> {
  try {
    await checkWay(database);
    const missing = (await pool.ask((sql) => migrationStates(sql))).filter(({ appliedAt }) => appliedAt === null);
    if (missing.length > 0) {
      const names = missing.map(({ name }) => name).join(', ');
      throw new AuditError('ERR_NOT_MIGRATED', `the database lacks ${names}: run "fleetstep audit migrate"`);
    }
    if (company !== undefined && (await pool.ask((sql) => listCompanies(sql, company))).length === 0) {
      const known = (await pool.ask((sql) => listCompanies(sql))).slice(0, 10).map(({ id }) => id);
      const remedy =
        known.length === 0
          ? 'there are no companies yet, leave it out and one is made'
          : `known are ${known.join(', ')}`;
      throw new ServeError('ERR_SERVICE', `--company is ${company}: ${remedy}`);
    }
  } catch (error) {
    if (!(error instanceof AuditError) || !['ERR_DATABASE', 'ERR_DEADLINE'].includes(error.code)) throw error;
    const until =
      unrecorded === 'answer'
        ? 'recommendations are answered without a record, and nothing is done'
        : 'everything is refused';
    process.stderr.write(`fleetstep: ${error.message}: until it is back, ${until}\n`);
  }
}

/** @throws ServeError `ERR_SERVICE` */
async function listen(app: FastifyInstance, { port, host }: ServeOptions): Promise<string> {
  try {
    return await app.listen({ port, host });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new ServeError('ERR_SERVICE', `port ${port} is taken: choose another with --port, or 0 for any`, { cause });
  }
}

function greeting(url: string, token: string | undefined, { policies }: Recommender): string {
  const lines = [`fleetstep at ${url}, policy ${policies.default.name}`];
  if (token !== undefined) lines.push(`dashboard: ${url}/#token=${token}`, `token:     ${token}`);
  return `${lines.join('\n')}\n`;
}

function connectorOf(url: string | undefined): Connector {
  if (url === undefined) return dryRunConnector;
  const secret = process.env['FLEETSTEP_WEBHOOK_SECRET'] ?? '';
  if (secret === '') {
    throw new ServeError(
      'ERR_SERVICE',
      'FLEETSTEP_WEBHOOK_SECRET is missing: set what the receiver verifies signatures with',
    );
  }
  return new WebhookConnector({ url, secret });
}

/** Until somebody says stop. */
function stopped(): Promise<void> {
  return new Promise((done) => {
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
    process.once('SIGINT', () => done()).once('SIGTERM', () => done());
  });
}
