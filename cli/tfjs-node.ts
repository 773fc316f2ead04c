// fleetstep tfjs-node

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Command } from 'commander';

/** The `tfjs-node` command. */
export function tfjsNodeCommand(): Command {
  return new Command('tfjs-node')
    .description(
      'Install TensorFlow.js’s native backend, or build it against the TensorFlow library of the Python wheel.',
    )
    .addHelpText(
      'after',
      `
It does nothing if the backend already works. The build is for Linux, and needs Python with pip, make and a C++ compiler.
Installing all packages anew ("npm ci") removes what was built.

Exit code 3 if the wheel cannot be had here, 1 if the build fails.

Examples:
  fleetstep tfjs-node
  fleetstep tfjs-node && fleetstep doctor`,
    )
    .action(() => {
      const root = dirname(createRequire(import.meta.url).resolve('fleetstep/package.json'));
      const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build-tfjs-node.js')], {
        stdio: 'inherit',
      });
      process.exitCode = status ?? 1;
    });
}
