// "fleetstep tfjs-node" in a project that merely depends on fleetstep: what npm packs is enough, and it works on the project's
// packages. Compiling is CI's; here npm and pip are stand-ins that note what they were asked.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'fleetstep-tfjs-node-'));
const project = join(root, 'project');
const modules = join(project, 'node_modules');
const stubs = join(root, 'bin');
const noted = join(root, 'noted');
afterAll(() => rmSync(root, { recursive: true, force: true }));

function script(name: string, text: string): void {
  writeFileSync(join(stubs, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(stubs, name), 0o755);
}

function fleetstep(): { status: number | null; stdout: string; stderr: string } {
  rmSync(noted, { force: true });
  return spawnSync(process.execPath, [join(modules, 'fleetstep/dist/cli/main.js'), 'tfjs-node'], {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, PATH: stubs },
  });
}

beforeAll(() => {
  // As npm installs it: what it packs, in node_modules, beside its dependencies.
  const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: checkout,
    encoding: 'utf8',
  }).stdout;
  const answer = JSON.parse(packed) as Record<string, Packed> | Packed[];
  const { files } = Object.values(answer)[0];
  for (const { path } of files) {
    const to = join(modules, 'fleetstep', path);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(checkout, path), to);
  }
  // The other dependencies lie above; TensorFlow.js must not, or the real one would be found.
  mkdirSync(join(root, 'node_modules'));
  for (const name of readdirSync(join(checkout, 'node_modules'))) {
    if (name !== '@tensorflow') symlinkSync(join(checkout, 'node_modules', name), join(root, 'node_modules', name));
  }
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ dependencies: { fleetstep: version } }));
  mkdirSync(stubs);
});

interface Packed {
  readonly files: readonly { readonly path: string }[];
}

function tensorflow(name: string, main: string): void {
  const folder = join(modules, '@tensorflow', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: `@tensorflow/${name}`, version: '4.22.0', main: 'main.js' }),
  );
  writeFileSync(join(folder, 'main.js'), main);
}

it('installs the package in the version of the rest into the project, and says what it cannot get', () => {
  tensorflow('tfjs', '');
  rmSync(join(modules, '@tensorflow/tfjs-node'), { recursive: true, force: true });
  script(
    'npm',
    `echo "npm $* in $PWD" >> ${noted}; /bin/mkdir -p node_modules/@tensorflow/tfjs-node; echo '{}' > node_modules/@tensorflow/tfjs-node/package.json`,
  );
  script(
    'python3',
    `echo "python3 $*" >> ${noted}; case "$*" in *--version*) exit 0;; esac; echo "no such index" >&2; exit 1`,
  );
  const { status, stdout, stderr } = fleetstep();
  expect(stdout).toContain('tfjs-node: installing the package 4.22.0 without its download');
  expect(stderr).toMatch(/no such index[^]*"python3 -m pip download --quiet" failed \(exit code 1\): check that pip/);
  expect(status).toBe(3);
  expect(readFileSync(noted, 'utf8').trim().split('\n')).toEqual([
    `npm install --no-save --ignore-scripts --no-audit --no-fund @tensorflow/tfjs-node@4.22.0 in ${project}`,
    'python3 -m pip --version',
    expect.stringMatching(/^python3 -m pip download .*tensorflow-cpu>=2.21,<2.22$/),
  ]);
});

it('refuses to install into a folder that is no project', () => {
  tensorflow('tfjs', '');
  rmSync(join(modules, '@tensorflow/tfjs-node'), { recursive: true, force: true });
  renameSync(join(project, 'package.json'), join(project, 'away.json'));
  const { status, stderr } = fleetstep();
  renameSync(join(project, 'away.json'), join(project, 'package.json'));
  expect(stderr).toMatch(/is no project of npm's: .* add @tensorflow\/tfjs-node 4.22.0 with your package manager/);
  expect(status).toBe(1);
});

it('leaves alone what works', () => {
  tensorflow('tfjs', '');
  tensorflow(
    'tfjs-node',
    'module.exports = { ones: () => 0, matMul: () => ({ dataSync: () => [3] }), version: { "tfjs-node": "4.22.0" } };',
  );
  const { status, stdout, stderr } = fleetstep();
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toBe('tfjs-node: already works: version 4.22.0\n');
});
