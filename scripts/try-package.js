// Tries the package as a stranger gets it: packs it, installs the file into an empty project elsewhere, and uses it there. Needs
// npm's registry.
//
//   npm run try-package

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { URL, fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'fleetstep-package-'));
const project = join(folder, 'project');
const installed = join(project, 'node_modules', own.name);
const faults = [];

const step = (text) => console.log(`\n--- ${text}`);
const run = (command, args, cwd = project) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });

/** Every file under a folder, with its path from there. */
function filesUnder(top) {
  return readdirSync(top, { recursive: true })
    .map(String)
    .filter((name) => !name.split(/[\\/]/).includes('node_modules') && statSync(join(top, name)).isFile());
}

/** Links and pictures of a page that name a file which is not in the package. */
function deadLinks(page) {
  const text = readFileSync(join(installed, page), 'utf8').replace(/```[\s\S]*?```/g, '');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target.split('#')[0]);
  return targets.filter((target) => {
    if (target === '' || /^[a-z]+:/.test(target)) return false;
    const path = join(installed, dirname(page), target);
    return relative(installed, path).startsWith('..') || !existsSync(path);
  });
}

/** What a compiled file's source map refers to and the package does not hold. */
function deadMaps(file) {
  const map = /\/\/# sourceMappingURL=(\S+)\s*$/.exec(readFileSync(join(installed, file), 'utf8'))?.[1];
  if (map === undefined) return [];
  const path = join(installed, dirname(file), map);
  if (!existsSync(path)) return [map];
  const { sources, sourcesContent = [] } = JSON.parse(readFileSync(path, 'utf8'));
  return sources.filter((source, k) => sourcesContent[k] == null && !existsSync(join(dirname(path), source)));
}

try {
  step('pack');
  // What `prepare` prints comes before the answer.
  const printed = run('npm', ['pack', '--silent', '--pack-destination', folder], root);
  const tarball = join(folder, printed.trim().split('\n').at(-1));
  console.log(`${tarball.slice(folder.length + 1)}: ${Math.round(statSync(tarball).size / 1024)} KiB`);

  step('are the types wrong?');
  // ESM only: a require() of it is answered by Node 20.19 and later, which load ES modules that way.
  console.log(run('npx', ['attw', tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji'], root));

  step('install into an empty project');
  mkdirSync(project);
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'stranger', version: '1.0.0', private: true, type: 'module' }),
  );
  const { typescript, '@types/node': node } = own.devDependencies;
  run('npm', [
    'install',
    '--no-audit',
    '--no-fund',
    '--silent',
    tarball,
    `typescript@${typescript}`,
    `@types/node@${node}`,
  ]);

  step('what is in it');
  const files = filesUnder(installed);
  for (const file of files) {
    if (/(^|[\\/])(bench|test)[\\/]/.test(file)) faults.push(`${file} does not belong into the package`);
    if (file.endsWith('.md'))
      for (const link of deadLinks(file)) faults.push(`${file} links to ${link}, which is not in the package`);
    if (file.endsWith('.js'))
      for (const map of deadMaps(file))
        faults.push(`the source map of ${file} needs ${map}, which is not in the package`);
  }
  if (!(own.keywords?.length > 0)) faults.push('package.json has no keywords');
  console.log(`${files.length} files, ${files.filter((file) => file.endsWith('.md')).length} pages`);

  step('train');
  const train = ['train', '--steps', '20000', '--eval-episodes', '5', '--out', 'run', '--json'];
  const trained = JSON.parse(run('npx', ['--no-install', 'fleetstep', ...train]));
  console.log(`${trained.backend}: mean return ${trained.meanReturn?.toFixed(0)}`);
  if (!Number.isFinite(trained.meanReturn)) faults.push('training gave no mean return');

  step('recommend');
  const state = join('node_modules', own.name, 'docs', 'state.json');
  const answer = JSON.parse(run('npx', ['--no-install', 'fleetstep', 'recommend', '-i', state, '--json']));
  const pairs = answer.assignments.map(({ shipment, vehicle }) => `${shipment} to ${vehicle}`).join(', ');
  console.log(pairs);
  if (pairs !== '103 to 1, 102 to 2') faults.push(`recommend gave "${pairs}", the README says "103 to 1, 102 to 2"`);

  step('load every entry');
  const entries = Object.keys(own.exports)
    .filter((name) => !name.endsWith('.json'))
    .map((name) => join(own.name, name).replaceAll('\\', '/'));
  const loading = entries
    .map((name) => `console.log('${name}', Object.keys(await import('${name}')).length)`)
    .join('\n');
  console.log(run(process.execPath, ['--input-type=module', '-e', loading]).trimEnd());

  step('compile a program against its types');
  copyFileSync(join(root, 'test', 'support', 'consumer.ts'), join(project, 'consumer.ts'));
  const consumer = readFileSync(join(project, 'consumer.ts'), 'utf8');
  for (const name of entries) if (!consumer.includes(`'${name}'`)) faults.push(`consumer.ts does not import ${name}`);
  for (const [moduleResolution, module] of [
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['bundler', 'esnext'],
  ]) {
    const options = ['--strict', '--declaration', '--target', 'es2023', '--module', module, '--types', 'node'];
    run('npx', [
      '--no-install',
      'tsc',
      ...options,
      '--moduleResolution',
      moduleResolution,
      '--skipLibCheck',
      'consumer.ts',
      '--outDir',
      moduleResolution,
    ]);
    console.log(moduleResolution);
  }
} catch (error) {
  if (error.status === undefined) throw error;
  console.error(`${error.stdout ?? ''}`);
  faults.push(error.message.split('\n')[0]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.error(`FAULT: ${fault}`);
console.log(faults.length === 0 ? '\nthe package is sound' : `\n${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
