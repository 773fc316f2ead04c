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
import { KeyRing, ServeError, Service, WebhookConnector, debug, dryRunConnector, roles } from '../serve/index.js';
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

/** Milliseconds for requests in flight to be answered after the first signal. */
const DRAIN_MS = 10_000;

/** The `serve` command. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('Serve recommendations, the audit record and the dashboard over HTTP.')
    .addOption(
      new Option('--port <p>', 'port to listen on; 0: any free port')
        .argParser(whole(0, 65_535))
        .default(8080)
        .env('PORT'),
    )
    .addOption(
      new Option('--host <address>', 'address to listen on; 0.0.0.0 behind a proxy with TLS').default('127.0.0.1'),
    )
    .addOption(
      new Option('--dev-token <role>', 'print a token of this role, valid for 8 hours, at the start').choices([
        ...roles,
      ]),
    )
    .addOption(
      new Option('--company <id>', 'company of that token; default: the first one, created if there is none').argParser(
        whole(1),
      ),
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
    .addOption(new Option('--runs <folder>', 'folder of training runs for the dashboard').default('runs'))
    .addOption(
      new Option(
        '--webhook <url>',
        'receiver of the actions of mode auto, signed with FLEETSTEP_WEBHOOK_SECRET; default: none, actions are dry runs',
      ),
    )
    .addOption(
      new Option('--act-within <s>', 'seconds after a decision of mode auto within which its actions must start')
        .argParser(whole(1, 300))
        .default(10),
    )
    .addOption(
      new Option(
        '--tiles <template>',
        'tile server of the dashboard’s map, such as https://tile.openstreetmap.org/{z}/{x}/{y}.png; default: a plain map',
      ),
    )
    .addOption(
      new Option('--attribution <text>', 'copyright notice of the tiles').default('© OpenStreetMap contributors'),
    )
    .addOption(
      new Option(
        '--unrecorded <what>',
        'modes shadow and recommend while the database does not answer: answer without a record, or refuse',
      )
        .choices(['answer', 'refuse'])
        .default('answer'),
    )
    .addOption(
      new Option('--max-in-flight <n>', 'requests in flight; more are rejected with 503')
        .argParser(whole(1))
        .default(128),
    )
    .addOption(
      new Option('--per-minute <n>', 'requests of one account per minute; more are rejected with 429')
        .argParser(whole(1))
        .default(120_000),
    )
    .addOption(
      new Option('--log-level <level>', 'least level of the log, JSON lines on stderr')
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
  debug('database: %s', database.kind);
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
  debug('policies: %s', recommender.policies.all.map(({ name }) => name).join(', '));
  /** Closed at the end, the last one first, also after a failed start. */
  const ends = [() => service.close()];
  try {
    await checkDatabase(database, service, options);
    debug('database checked');
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
      report: (orphans) => app.log.warn({ actions: orphans.map(({ id }) => id) }, 'actions without an outcome'),
      fault: (error) =>
        app.log.error({ code: (error as { code?: string }).code }, 'the sweeper cannot reach the database'),
    });
    ends.push(() => sweeper.close());
    const url = await listen(app, options);
    debug('listening at %s', url);
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
    await drain(app);
  } finally {
    for (const end of ends.reverse()) await end();
    debug('closed');
  }
}

/**
 * Refuses to start with a database that can never work. One that only does not answer may come back, so it is a warning.
 * @throws AuditError `ERR_NOT_MIGRATED`, `ERR_FIELD` for a connection through a pooler that is not declared; ServeError `ERR_SERVICE`
 *   if the company does not exist
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
      throw new AuditError(
        'ERR_NOT_MIGRATED',
        `the database lacks the migrations ${names}: run "fleetstep audit migrate"`,
      );
    }
    if (company !== undefined && (await pool.ask((sql) => listCompanies(sql, company))).length === 0) {
      const known = (await pool.ask((sql) => listCompanies(sql))).slice(0, 10).map(({ id }) => id);
      const remedy =
        known.length === 0
          ? 'there are no companies yet; leave it out and one is created'
          : `expected one of ${known.join(', ')}`;
      throw new ServeError('ERR_SERVICE', `--company is ${company}: ${remedy}`);
    }
  } catch (error) {
    if (!(error instanceof AuditError) || !['ERR_DATABASE', 'ERR_DEADLINE'].includes(error.code)) throw error;
    const until =
      unrecorded === 'answer'
        ? 'recommendations are answered without a record, and no actions are carried out'
        : 'all requests are refused';
    process.stderr.write(`fleetstep: ${error.message}: until the database answers, ${until}\n`);
  }
}

/** @throws ServeError `ERR_SERVICE` */
async function listen(app: FastifyInstance, { port, host }: ServeOptions): Promise<string> {
  try {
    return await app.listen({ port, host });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new ServeError('ERR_SERVICE', `port ${port} is in use: choose another with --port, or 0 for any free port`, {
      cause,
    });
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
      'FLEETSTEP_WEBHOOK_SECRET is missing: set the secret with which the receiver verifies signatures',
    );
  }
  return new WebhookConnector({ url, secret });
}

/**
 * Resolves at the first SIGINT or SIGTERM. A second signal finds no listener, and ends the process at once.
 *
 * Not close-with-grace 2.5, which is maintained and runs on Node 20: it ends by `process.exit` when its deadline has passed, so that
 * record and embedded PostgreSQL would not be closed. Here the deadline is that of the HTTP server alone.
 */
function stopped(): Promise<void> {
  return new Promise((done) => {
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
    const stop = (signal: NodeJS.Signals): void => {
      debug('%s received', signal);
      process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
      done();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
  });
}

/** Answers the requests in flight; those that take longer than `DRAIN_MS` lose their connection. */
async function drain(app: FastifyInstance): Promise<void> {
  const deadline = new Promise<void>((done) => {
    setTimeout(() => {
      debug('deadline of draining, closing all connections');
      app.server.closeAllConnections();
      done();
    }, DRAIN_MS).unref();
  });
  await Promise.race([app.close(), deadline]);
}
