// Tests run what ships: refuse to start on a missing or stale build. Then a folder for what is made once in a run, and its end.

import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** What one test file has made and others copy lies here. */
    keptFolder: string;
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url));

export default function setup(project: TestProject): () => void {
  checkBuild();
  const kept = mkdtempSync(join(tmpdir(), 'fleetstep-kept-'));
  chmodSync(kept, 0o755);
  project.provide('keptFolder', kept);
  return () => rmSync(kept, { recursive: true, force: true });
}

function checkBuild(): void {
  for (const room of [
    'engine',
    'policy',
    'files',
    'trips',
    'audit',
    'advise',
    'serve',
    'workers',
    'train',
    'jobs',
    'routing',
    'bridge',
    'report',
    'verify',
    'cli',
    'bench',
  ]) {
    for (const name of readdirSync(join(root, room))) {
      if (!name.endsWith('.ts') || name.endsWith('.d.ts')) continue;
      const built = statSync(join(root, 'dist', room, name.replace(/\.ts$/, '.js')), { throwIfNoEntry: false });
      if (built === undefined || built.mtimeMs < statSync(join(root, room, name)).mtimeMs) {
        throw new Error(`dist/${room} is older than ${room}/${name}: run "npm run build" (npm test does it for you)`);
      }
    }
  }
}
