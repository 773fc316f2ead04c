// npm run bench -- <name> [--quick] [--json]

import { Argument, Command } from 'commander';
import { machine } from '../train/machine.js';
import { printJson, short, table } from '../cli/print.js';
import { auditBenchmark } from './audit.js';
import { envBenchmark } from './env.js';
import { kernelsBenchmark } from './kernels.js';
import { learnerBenchmark } from './learner.js';
import { queueBenchmark } from './queue.js';
import { planBenchmark } from './plan.js';
import type { Row } from './report.js';
import { searchBenchmark } from './search.js';
import { serveBenchmark } from './serve.js';
import { trainBenchmark } from './train.js';

const benchmarks = [
  envBenchmark,
  trainBenchmark,
  learnerBenchmark,
  kernelsBenchmark,
  searchBenchmark,
  queueBenchmark,
  auditBenchmark,
  serveBenchmark,
  planBenchmark,
];

const program = new Command('npm run bench --')
  .description('Measure on this machine. Medians over interleaved rounds, with the lowest and the highest.')
  .addArgument(new Argument('<name>', 'what to measure').choices(benchmarks.map((benchmark) => benchmark.name)))
  .option('--quick', 'a few rounds only: to see that it runs', false)
  .option('--json', 'one JSON object on stdout, nothing else', false)
  .option('--data <folder>', 'New York trips, for the rows of nyc-small; see docs/benchmarks.md')
  .addHelpText(
    'after',
    `\n${benchmarks.map((benchmark) => `  ${benchmark.name.padEnd(8)} ${benchmark.question}`).join('\n')}`,
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .action(
    async (name: string, options: { readonly quick: boolean; readonly json: boolean; readonly data?: string }) => {
      const benchmark = benchmarks.find((candidate) => candidate.name === name);
      if (benchmark === undefined) throw new Error(`no benchmark ${name}`);
      const rows = await benchmark.run(options.quick, (text) => process.stderr.write(`${text}\n`), options.data);
      const here = machine();
      if (options.json) {
        printJson({ machine: here, rows });
        return;
      }
      process.stdout.write(
        `${here.cpu}, ${here.cores} cores, ${here.memoryGiB} GiB, node ${here.node}, ${here.platform}\n${benchmark.question}\n${table(
          ['', 'median', 'low', 'high', 'unit', 'ratio'],
          rows.map((row) => [row.name, figure(row.value), figure(row.low), figure(row.high), row.unit, ratio(row)]),
        )}\n`,
      );
    },
  );
await program.parseAsync();

function figure(value: number): string {
  return Math.abs(value) >= 1000 ? short(value) : value.toPrecision(3);
}

function ratio(row: Row): string {
  return row.ratio === undefined ? '' : `${row.ratio.toFixed(2)} x ${row.anchor ?? ''}`;
}
