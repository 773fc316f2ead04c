// Tests run what ships: refuse to start on a missing or stale build.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export default function setup(): void {
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
