// fleetstep doctor

import { Command } from 'commander';
import pc from 'picocolors';
import { selfCheck } from '../train/index.js';
import { machine } from '../train/machine.js';
import { jsonOption } from './options.js';
import { printJson } from './print.js';

/** The `doctor` command. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Show what is installed and which backends work, and check each part with about ten seconds of work.')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Exit code 1 if a check failed. The native TensorFlow backend is optional: "npx fleetstep tfjs-node" installs or builds it.

Examples:
  fleetstep doctor
  fleetstep doctor --json`,
    )
    .action(async (options: { readonly json: boolean }) => {
      const here = machine();
      if (!options.json) {
        process.stdout.write(
          `node ${here.node}, ${here.platform}, ${here.cpu}, ${here.cores} cores, ${here.memoryGiB} GiB\n`,
        );
      }
      const mark = { ok: pc.green('ok'), absent: pc.yellow('--'), failed: pc.red('FAILED') };
      const checks = await selfCheck((check) => {
        if (!options.json) process.stdout.write(`${mark[check.status]} ${check.name}: ${check.detail}\n`);
      });
      const ok = checks.every((check) => check.status !== 'failed');
      if (options.json) printJson({ ok, machine: here, checks });
      if (!ok) process.exitCode = 1;
    });
}
