// fleetstep audit migrate | rollback | status

import { Command, Option } from 'commander';
import { connect, migrate, migrationStates, rollback, schemaCreators } from '../audit/index.js';
import { withDatabase } from './database.js';
import { jsonOption, whole } from './options.js';
import { printJson, table } from './print.js';

/** The `audit migrate` command. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Apply all migrations that are missing. Two at once: one works, the other waits.')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: DATABASE_URL=postgres://owner:secret@db/fleet fleetstep audit migrate')
    .action(async ({ json }: { json: boolean }) => {
      const applied = (await withDatabase(migrate)).map(({ name }) => name);
      if (json) printJson({ applied });
      else
        process.stdout.write(
          applied.length === 0 ? 'nothing to do\n' : applied.map((name) => `applied ${name}\n`).join(''),
        );
    });
}

/** The `audit rollback` command. */
export function rollbackCommand(): Command {
  return new Command('rollback')
    .description('Take the last migrations back.')
    .addOption(new Option('--steps <n>', 'how many').argParser(whole(1, 1000)).default(1))
    .addOption(
      new Option('--force', 'also if rows, decisions, switches, mode, rules or limits are lost by it').default(false),
    )
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit rollback --steps 1')
    .action(async ({ steps, force, json }: { steps: number; force: boolean; json: boolean }) => {
      const undone = (await withDatabase((database) => rollback(database, steps, force))).map(({ name }) => name);
      if (json) printJson({ undone });
      else
        process.stdout.write(
          undone.length === 0 ? 'nothing to do\n' : undone.map((name) => `took back ${name}\n`).join(''),
        );
    });
}

/** The `audit status` command. */
export function statusCommand(): Command {
  return new Command('status')
    .description('Which database this is, and which migrations it has.')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample: fleetstep audit status --json')
    .action(async ({ json }: { json: boolean }) => {
      await withDatabase(async (database) => {
        const connection = connect(database, { role: 'owner', max: 1 });
        try {
          const migrations = await migrationStates(connection);
          const [{ version, login, superuser }] = await connection<
            { version: string; login: string; superuser: boolean }[]
          >`
            select current_setting('server_version') as version, session_user as login,
              (select rolsuper from pg_roles where rolname = session_user) as superuser`;
          const current = migrations.every(({ appliedAt }) => appliedAt !== null);
          // Where application and owner log in alike, whoever has the application's password can remove the guards.
          const separated = database.ownerUrl !== database.appUrl;
          // Whoever may create in the schema of the tables could plant what others' statements then find there.
          const creators = await schemaCreators(connection);
          const { kind, folder } = database;
          if (json) {
            printJson({ database: kind, folder, version, login, superuser, separated, creators, current, migrations });
            return;
          }
          process.stdout.write(
            `PostgreSQL ${version}, ${kind === 'embedded' ? `embedded in ${String(folder)}` : `server, logged in as ${login}`}\n` +
              `${table(
                ['migration', 'applied'],
                migrations.map(({ name, appliedAt }) => [name, appliedAt ?? 'no']),
              )}\n` +
              (current ? '' : 'run "fleetstep audit migrate"\n') +
              (separated
                ? ''
                : 'warning: the application logs in as the owner, who can remove the guards: give DATABASE_URL a login of its own in the role fleetstep_app, and the owner DATABASE_OWNER_URL\n') +
              creators
                .map(
                  (role) =>
                    `warning: ${role} may create in schema public, and so plant functions that others then call: let the schema's owner run "revoke create on schema public from ${role}"\n`,
                )
                .join(''),
          );
        } finally {
          await connection.end({ timeout: 5 });
        }
      });
    });
}
