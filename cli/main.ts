#!/usr/bin/env node
// The command line as a process: what a closed or full output does to it.

import { runCommand } from './run.js';

// A reader that has seen enough ("| head") closes the pipe; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`fleetstep: cannot write the output: ${error.message}\n`);
  process.exit(1);
});

// Nowhere is left to write that; the exit code reports it.
process.stderr.on('error', () => process.exit(process.exitCode ?? 1));

await runCommand(process.argv.slice(2));
