// fleetstep tfjs-node: makes @tensorflow/tfjs-node work where fleetstep is installed, in a checkout or as a dependency. Where
// its own download of libtensorflow is blocked, it is built against the TensorFlow library in the Python wheel. Does nothing
// if it already works.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const ours = createRequire(import.meta.url);
// The same version as the rest of TensorFlow.js: both then share one instance of its core.
const { version } = ours('@tensorflow/tfjs/package.json');
const say = (text) => console.log(`tfjs-node: ${text}`);

class Failure extends Error {}

/** The wheel cannot be had here: exit code 3, so that CI can tell it from a broken build. */
class NoWheel extends Failure {}

/** Runs a command; on failure shows the end of what it printed, and says what to do. */
function run(command, args, options, remedy, Kind = Failure) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.status === 0) return result.stdout;
  const printed = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-12).join('\n');
  if (printed !== '') console.error(printed);
  const why = result.error?.message ?? `exit code ${result.status ?? result.signal}`;
  throw new Kind(`"${command} ${args.slice(0, 4).join(' ')}" failed (${why}): ${remedy}`);
}

/** The package's folder, wherever npm has put it; null if there is none. */
function packageFolder() {
  try {
    return dirname(ours.resolve('@tensorflow/tfjs-node/package.json'));
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return null;
  }
}

/** The folder that packages are installed from: of the project that depends on fleetstep, or the checkout. */
function project() {
  const above = dirname(root);
  if (basename(above) !== 'node_modules') return root;
  const folder = dirname(above);
  // Installed globally, or by a package manager with another layout.
  if (!existsSync(join(folder, 'package.json')) || folder.includes(join('node_modules', '.pnpm'))) {
    throw new Failure(
      `${folder} is no project of npm's: in the one that depends on fleetstep, add @tensorflow/tfjs-node ${version} with your package manager, without its scripts, and run this again`,
    );
  }
  return folder;
}

/** The version that loads and multiplies in a process of its own, or null with the reason. */
function works() {
  const probe = `
    const util = require('node:util');
    util.isNullOrUndefined ??= (value) => value === null || value === undefined;
    const tf = require('@tensorflow/tfjs-node');
    const product = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()[0];
    if (product !== 3) throw new Error('1 x 3 ones gave ' + product);
    console.log('version ' + tf.version['tfjs-node'] + ' on libtensorflow ' + require('@tensorflow/tfjs-node').node?.binding?.TF_Version);`;
  const result = spawnSync(process.execPath, ['-e', probe], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  const line = result.stdout.split('\n').find((text) => text.startsWith('version '));
  return result.status === 0 && line !== undefined ? line.replace(' on libtensorflow undefined', '') : null;
}

/** A Python with pip, by name. */
function findPython() {
  for (const name of ['python3', 'python']) {
    if (spawnSync(name, ['-m', 'pip', '--version'], { stdio: 'ignore' }).status === 0) return name;
  }
  throw new NoWheel(
    'no Python with pip found: install python3 and python3-pip, or allow the download of libtensorflow',
  );
}

function buildAgainstWheel(folder) {
  const python = findPython();
  const work = mkdtempSync(join(tmpdir(), 'fleetstep-tfjs-node-'));
  try {
    say('fetching the TensorFlow wheel with pip (a few hundred megabytes)');
    run(
      python,
      ['-m', 'pip', 'download', '--quiet', '--no-deps', '--no-cache-dir', '--dest', work, 'tensorflow-cpu>=2.21,<2.22'],
      { env: { ...process.env, PIP_RETRIES: process.env.PIP_RETRIES ?? '0' } },
      'check that pip reaches a package index with a tensorflow-cpu 2.21 wheel for this Python and machine',
      NoWheel,
    );
    const wheel = readdirSync(work).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Failure('pip brought no wheel');
    say(`unpacking ${wheel}`);
    const deps = join(folder, 'deps');
    rmSync(deps, { recursive: true, force: true });
    mkdirSync(join(deps, 'lib'), { recursive: true });
    const unpack = `
import os, shutil, sys, zipfile
wheel, deps = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        if name in ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'):
            target = os.path.join(deps, 'lib', os.path.basename(name))
        elif name.startswith('tensorflow/include/') and not name.endswith('/'):
            target = os.path.join(deps, name[len('tensorflow/'):])
        else:
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with z.open(name) as source, open(target, 'wb') as out:
            shutil.copyfileobj(source, out)`;
    run(python, ['-c', unpack, join(work, wheel), deps], {}, 'the wheel could not be unpacked: is the disk full?');
    for (const library of ['cc', 'framework']) {
      if (!existsSync(join(deps, 'lib', `libtensorflow_${library}.so.2`))) {
        throw new NoWheel(`the wheel ${wheel} holds no libtensorflow_${library}.so.2: it is for another system`);
      }
    }
    symlinkSync('libtensorflow_cc.so.2', join(deps, 'lib', 'libtensorflow.so'));
    symlinkSync('libtensorflow_framework.so.2', join(deps, 'lib', 'libtensorflow_framework.so'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }

  say('compiling the binding');
  const gyp = createRequire(join(folder, 'package.json')).resolve('@mapbox/node-pre-gyp/bin/node-pre-gyp');
  // Node's own headers, where they lie beside it, spare their download.
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, 'include', 'node', 'node.h')) ? [`--nodedir=${prefix}`] : [];
  run(
    process.execPath,
    [gyp, 'install', '--build-from-source', ...headers],
    { cwd: folder },
    'it needs make, a C++ compiler and python3 (on Debian: apt-get install build-essential python3)',
  );
}

try {
  const before = works();
  if (before !== null) {
    say(`already works: ${before}`);
  } else {
    if (process.platform !== 'linux')
      throw new NoWheel(`the recipe is for Linux, this is ${process.platform}: the wasm backend works without it`);
    if (packageFolder() === null) {
      say(`installing the package ${version} without its download`);
      run(
        'npm',
        ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', `@tensorflow/tfjs-node@${version}`],
        { cwd: project() },
        'check that npm reaches its registry',
      );
    }
    const folder = packageFolder();
    if (folder === null) throw new Failure(`npm has installed @tensorflow/tfjs-node where ${root} does not find it`);
    buildAgainstWheel(folder);
    const after = works();
    if (after === null) throw new Failure(`it was built but does not load: remove ${folder} and try again`);
    say(`works: ${after}`);
  }
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`tfjs-node: ${error.message}`);
  process.exitCode = error instanceof NoWheel ? 3 : 1;
}
