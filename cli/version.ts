// The package's version, read without loading any room.

import { createRequire } from 'node:module';

const about = createRequire(import.meta.url)('fleetstep/package.json') as { version: string };

/** Version of the package, such as `0.1.0`. */
export const version: string = about.version;
