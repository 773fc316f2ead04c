// fleetstep export

import { Argument, Command, Option } from 'commander';
import { exportFormats, exportNetworks, readCheckpoint } from '../train/index.js';
import type { ExportFormat } from '../train/index.js';
import { jsonOption } from './options.js';
import { printJson } from './print.js';

interface ExportOptions {
  readonly format: ExportFormat;
  readonly out: string;
  readonly json: boolean;
}

/** The `export` command. */
export function exportCommand(): Command {
  return new Command('export')
    .description("Write a run's actor and critic as TensorFlow.js layers models, or as ONNX.")
    .addArgument(new Argument('<run>', 'folder of a run, or one of its checkpoint files'))
    .addOption(
      new Option('--format <format>', 'tfjs: model.json and weights.bin; onnx: one file for each network')
        .choices([...exportFormats])
        .default('tfjs'),
    )
    .addOption(new Option('--out <folder>', 'where to write; empty, or not there yet').makeOptionMandatory())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
fleetstep.json beside the networks says what their inputs and outputs mean.

Examples:
  fleetstep export runs/geneva-ppo-s1-20260131-120000 --out model
  fleetstep export runs/two/best.msgpack --format onnx --out onnx`,
    )
    .action(async (run: string, { format, out, json }: ExportOptions) => {
      const files = await exportNetworks(readCheckpoint(run), format, out);
      if (json) printJson({ format, files });
      else process.stdout.write(`${files.join('\n')}\n`);
    });
}
