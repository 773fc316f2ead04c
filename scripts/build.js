// Builds all: what depends on nothing runs beside the compiler. build-if-older.js asks for what is written last.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import process from 'node:process';

async function run(...command) {
  const child = spawn('npx', ['--no-install', ...command], { stdio: 'inherit', shell: process.platform === 'win32' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
}

const kernel = (source, target) => run('asc', `policy/kernel/${source}.ts`, '--target', target);

async function pagesAndKernels() {
  for (const room of ['serve', 'report']) {
    await run('tsc', '-p', `${room}/page`);
    await run('tsc', '-p', `${room}/page/tsconfig.emit.json`);
  }
  await kernel('dense', 'release');
  await kernel('learn', 'learn');
}

try {
  await Promise.all([run('tsc'), pagesAndKernels()]);
  chmodSync('dist/cli/main.js', 0o755);
  await kernel('learn', 'learn-relaxed');
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exit(1);
}
