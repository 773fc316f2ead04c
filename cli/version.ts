// The package's version.

import { createRequire } from 'node:module';

const about = createRequire(import.meta.url)('fleetstep/package.json') as { version: string };
export const version: string = about.version;
