// The package's version.

export { version } from '../train/index.js';
