// Builds, unless what is built is newer than all that it is built of: "npm cit" has built when it comes to the tests.

import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** What a build writes last (build.js). */
const last = 'dist/policy/learn-relaxed.wasm';

const { include } = JSON.parse(readFileSync('tsconfig.json', 'utf8'));
const sources = include.flatMap((room) => readdirSync(room, { recursive: true }).map((name) => join(room, name)));
const settings = ['tsconfig.json', 'asconfig.json', 'package.json', 'package-lock.json'];
const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;

if ([...sources, ...settings].some((file) => changed(file) >= changed(last))) {
  process.exitCode = spawnSync('npm', ['run', 'build'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  }).status;
}
