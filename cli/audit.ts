// fleetstep audit: the commands of the record, each in the file of its subject.

import { Command } from 'commander';
import { limitsCommand, resumeCommand, settingsCommand, stopCommand } from './audit-controls.js';
import { headsCommand, sweepCommand, verifyCommand } from './audit-proof.js';
import { pruneCommand } from './audit-prune.js';
import { exportCommand, listCommand, reviewCommand, showCommand, statsCommand } from './audit-record.js';
import { migrateCommand, rollbackCommand, statusCommand } from './audit-schema.js';

/** The `audit` command with its subcommands. */
export function auditCommand(): Command {
  const command = new Command('audit')
    .description('Set up, read, limit and verify the record of autonomous actions.')
    .addHelpText(
      'after',
      `
The database is DATABASE_URL (and DATABASE_OWNER_URL for migrations), else an embedded PostgreSQL in FLEETSTEP_DATA (default ./data).

Examples:
  fleetstep seed-demo && fleetstep audit list
  fleetstep audit stats --period week
  fleetstep audit verify --json`,
    );
  for (const sub of [
    migrateCommand(),
    rollbackCommand(),
    statusCommand(),
    listCommand(),
    showCommand(),
    reviewCommand(),
    statsCommand(),
    exportCommand(),
    settingsCommand(),
    limitsCommand(),
    stopCommand(),
    resumeCommand(),
    sweepCommand(),
    verifyCommand(),
    headsCommand(),
    pruneCommand(),
  ]) {
    command.addCommand(sub);
  }
  return command;
}
