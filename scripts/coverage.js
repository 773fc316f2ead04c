// Runs a command, and counts which lines of our rooms it runs: in its own process, in every process that it starts, and in all of
// their threads. Prints a line for each room, writes coverage/rooms.json, and fails if a room falls short.
//
//   node scripts/coverage.js vitest run

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { URL, fileURLToPath, pathToFileURL } from 'node:url';
import { mergeProcessCovs } from '@bcoe/v8-coverage';
import { CoverageReport } from 'monocart-coverage-reports';

/** Least share of lines, in percent, of each room. */
const held = { engine: 90, policy: 90, train: 90, audit: 90, advise: 90 };
const rooms = Object.keys(held);

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'coverage');
const raw = join(folder, 'raw');
const counted = new RegExp(`^file://${root}dist/(?:${rooms.join('|')})/.*\\.js$`);

/** What has been counted so far, over all processes and threads. */
let merged = { result: [] };

/**
 * Takes in what processes and threads have written since. A thread writes a megabyte or more, most of it about Node itself, so that
 * thousands of files must not wait for the end.
 * @param isEnd whether every file is complete
 */
function drain(isEnd) {
  const found = [];
  for (const name of readdirSync(raw)) {
    const file = join(raw, name);
    let written;
    try {
      written = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      // It is being written; at the end, its process was killed over it.
      if (!(error instanceof SyntaxError)) throw error;
      if (!isEnd) continue;
      written = { result: [] };
    }
    rmSync(file);
    const result = written.result.filter(({ url }) => counted.test(url));
    if (result.length > 0) found.push({ result });
  }
  if (found.length > 0) merged = mergeProcessCovs([merged, ...found]);
}

/** The command's exit code. */
function run([command, ...args]) {
  const preload = `--import ${JSON.stringify(new URL('count-process.js', import.meta.url).href)}`;
  const options = [process.env.NODE_OPTIONS, preload].filter(Boolean).join(' ');
  const child = spawn(command, args, {
    stdio: 'inherit',
    env: { ...process.env, NODE_OPTIONS: options, FLEETSTEP_COUNT_LINES: raw },
  });
  // The terminal has sent it to the command, too, which ends by itself.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
  const timer = setInterval(() => drain(false), 500);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      resolve(code ?? 1);
    });
  });
}

/** Files that nothing has loaded count, too: as one function that was never called. */
function unloaded() {
  const loaded = new Set(merged.result.map(({ url }) => url));
  return rooms.flatMap((room) =>
    readdirSync(join(root, 'dist', room), { recursive: true })
      .map((name) => pathToFileURL(join(root, 'dist', room, name)))
      .filter(({ href }) => counted.test(href) && !loaded.has(href))
      .map((url) => {
        const ranges = [{ startOffset: 0, endOffset: readFileSync(url, 'utf8').length, count: 0 }];
        return { scriptId: '0', url: url.href, functions: [{ functionName: '', isBlockCoverage: true, ranges }] };
      }),
  );
}

/** Lines of each room, and how many of them were run. */
async function count() {
  const kept = join(folder, 'merged');
  mkdirSync(kept, { recursive: true });
  writeFileSync(join(kept, 'coverage-all.json'), JSON.stringify({ result: [...merged.result, ...unloaded()] }));
  const report = new CoverageReport({
    logging: 'error',
    outputDir: join(folder, 'lines'),
    reports: [['json-summary', { file: 'coverage-summary.json' }]],
  });
  await report.addFromDir(kept);
  await report.generate();
  const summary = JSON.parse(readFileSync(join(folder, 'lines', 'coverage-summary.json'), 'utf8'));
  const sums = Object.fromEntries(rooms.map((room) => [room, { lines: 0, covered: 0 }]));
  for (const [file, { lines }] of Object.entries(summary)) {
    const path = file.startsWith(root) ? relative(root, file) : file;
    const sum = sums[path.split(sep)[0]];
    if (sum === undefined) continue;
    sum.lines += lines.total;
    sum.covered += lines.covered;
  }
  return sums;
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(raw, { recursive: true });
const code = await run(process.argv.slice(2));
drain(true);
const sums = await count();
const percent = ({ lines, covered }) => Math.floor((1000 * covered) / lines) / 10;
console.log('\nroom      lines  covered');
for (const [room, sum] of Object.entries(sums)) {
  console.log(`${room.padEnd(8)} ${String(sum.lines).padStart(6)}  ${percent(sum).toFixed(1).padStart(6)}%`);
}
const table = Object.fromEntries(Object.entries(sums).map(([room, sum]) => [room, { ...sum, percent: percent(sum) }]));
writeFileSync(join(folder, 'rooms.json'), `${JSON.stringify(table)}\n`);
const short = Object.entries(table).filter(([room, sum]) => !(sum.percent >= held[room]));
for (const [room, sum] of short) {
  console.error(`${room}: ${sum.percent}% of its lines are run by tests, at least ${held[room]}% must be`);
}
// A run of some tests alone says nothing about the rooms.
process.exitCode = code === 0 && short.length > 0 ? 1 : code;
