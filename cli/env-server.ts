// fleetstep env-server

import { Command } from 'commander';
import { serveEnvironments } from '../bridge/index.js';
import { version } from './version.js';

/** The `env-server` command. */
export function envServerCommand(): Command {
  return new Command('env-server')
    .description('Step environments for the Python package, which starts it: requests on stdin, answers on stdout.')
    .addHelpText(
      'after',
      `
It ends when its stdin does. The Python package (docs/python.md) starts it by itself; FLEETSTEP_NODE says how.

Example:
  fleetstep env-server < requests    # what fleetstep.make_vec("geneva", num_envs=64) does in Python`,
    )
    .action(() => {
      if (!serveEnvironments({ input: 0, output: 1, version })) process.exitCode = 2;
    });
}
