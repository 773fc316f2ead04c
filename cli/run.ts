// Runs one command: each is in a file of its own, loaded when it is asked for. A mistake of the user's is one line on stderr and exit
// code 2.

import { Command, CommanderError } from 'commander';
import { version } from './version.js';

/** In the order of the help. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  train: async () => (await import('./train.js')).trainCommand(),
  sweep: async () => (await import('./sweep.js')).sweepCommand(),
  worker: async () => (await import('./worker.js')).workerCommand(),
  runs: async () => (await import('./runs.js')).runsCommand(),
  report: async () => (await import('./report.js')).reportCommand(),
  fit: async () => (await import('./fit.js')).fitCommand(),
  distill: async () => (await import('./distill.js')).distillCommand(),
  eval: async () => (await import('./eval.js')).evalCommand(),
  compare: async () => (await import('./compare.js')).compareCommand(),
  simulate: async () => (await import('./simulate.js')).simulateCommand(),
  verify: async () => (await import('./verify.js')).verifyCommand(),
  export: async () => (await import('./export.js')).exportCommand(),
  recommend: async () => (await import('./recommend.js')).recommendCommand(),
  serve: async () => (await import('./serve.js')).serveCommand(),
  token: async () => (await import('./token.js')).tokenCommand(),
  drive: async () => (await import('./drive.js')).driveCommand(),
  'env-server': async () => (await import('./env-server.js')).envServerCommand(),
  import: async () => (await import('./import.js')).importCommand(),
  collect: async () => (await import('./collect.js')).collectCommand(),
  'seed-demo': async () => (await import('./seed-demo.js')).seedDemoCommand(),
  audit: async () => (await import('./audit.js')).auditCommand(),
  doctor: async () => (await import('./doctor.js')).doctorCommand(),
  'tfjs-node': async () => (await import('./tfjs-node.js')).tfjsNodeCommand(),
};

/**
 * Runs the command that `args` name, such as `['eval', '--policy', 'edf']`; prints to stdout and stderr, and sets `process.exitCode`.
 */
export async function runCommand(args: readonly string[]): Promise<void> {
  const program = await programFor(args[0]);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has already printed; help and version end with 0.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
    } else {
      const { reportError } = await import('./report-error.js');
      reportError(error);
    }
  }
}

async function programFor(word: string | undefined): Promise<Command> {
  const program = new Command('fleetstep')
    .description('Simulate dispatch, train policies, recommend assignments, audit actions.')
    .version(version)
    .addHelpText(
      'after',
      '\nExample: fleetstep train --scenario geneva\n\n"fleetstep COMMAND --help" shows the options and examples of a command.',
    );
  for (const command of await Promise.all(askedFor(word).map((load) => load()))) program.addCommand(command);
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().configureOutput({
      outputError: (text, write) => write(`${text.trim().replace(/^error: /, 'fleetstep: ')} (see --help)\n`),
    });
  }

  return program;
}

/** The command that is asked for; none for the version, and all where something is to be said about them. */
function askedFor(word: string | undefined): (() => Promise<Command>)[] {
  if (word === '--version' || word === '-V') return [];
  return word !== undefined && Object.hasOwn(commands, word) ? [commands[word]] : Object.values(commands);
}
