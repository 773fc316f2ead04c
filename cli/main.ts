#!/usr/bin/env node
// The command line: one command a file. A mistake of the user's is one line on stderr and exit code 2.

import { Command, CommanderError } from 'commander';
import { AdviseError } from '../advise/index.js';
import { AuditError } from '../audit/index.js';
import { EngineError } from '../engine/index.js';
import { PolicyError } from '../policy/index.js';
import { ServeError } from '../serve/index.js';
import { TrainError } from '../train/index.js';
import { TripsError } from '../trips/index.js';
import { WorkerError } from '../workers/index.js';
import { auditCommand } from './audit.js';
import { collectCommand } from './collect.js';
import { doctorCommand } from './doctor.js';
import { driveCommand } from './drive.js';
import { evalCommand } from './eval.js';
import { importCommand } from './import.js';
import { recommendCommand } from './recommend.js';
import { seedDemoCommand } from './seed-demo.js';
import { serveCommand } from './serve.js';
import { simulateCommand } from './simulate.js';
import { tfjsNodeCommand } from './tfjs-node.js';
import { tokenCommand } from './token.js';
import { trainCommand } from './train.js';
import { version } from './version.js';

// A reader that has seen enough ("| head") closes the pipe; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`fleetstep: cannot write the output: ${error.message}\n`);
  process.exit(1);
});

// Nothing is left to say that on; the exit code says it.
process.stderr.on('error', () => process.exit(process.exitCode ?? 1));

const program = new Command('fleetstep')
  .description('A dispatch simulator to train on, and to ask.')
  .version(version)
  .addHelpText('after', '\nExample: fleetstep train --scenario geneva');
for (const command of [
  trainCommand(),
  evalCommand(),
  simulateCommand(),
  recommendCommand(),
  serveCommand(),
  tokenCommand(),
  driveCommand(),
  importCommand(),
  collectCommand(),
  seedDemoCommand(),
  auditCommand(),
  doctorCommand(),
  tfjsNodeCommand(),
]) {
  program.addCommand(command);
}
for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
  command.exitOverride().configureOutput({
    outputError: (text, write) => write(`${text.trim().replace(/^error: /, 'fleetstep: ')} (see --help)\n`),
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has already printed; help and version end with 0.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (
    (error instanceof WorkerError && error.code !== 'ERR_WORKERS_OPTION') ||
    (error instanceof TrainError && error.code === 'ERR_DISK') ||
    (error instanceof AuditError && (error.code === 'ERR_DATABASE' || error.code === 'ERR_DEADLINE')) ||
    (error instanceof Error && 'syscall' in error)
  ) {
    // The machine's fault, not the user's nor ours: a full disk, a thread out of memory, a database that is down.
    process.stderr.write(`fleetstep: ${error.message}\n`);
    process.exitCode = 1;
  } else if (isUserError(error)) {
    process.stderr.write(`fleetstep: ${error.message}\n`);
    process.exitCode = 2;
  } else {
    process.stderr.write(
      `fleetstep: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}

function isUserError(error: unknown): error is Error {
  return (
    error instanceof WorkerError ||
    error instanceof EngineError ||
    error instanceof TripsError ||
    error instanceof TrainError ||
    error instanceof PolicyError ||
    error instanceof AuditError ||
    error instanceof AdviseError ||
    error instanceof ServeError
  );
}
