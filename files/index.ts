// The public names of files: what is written whole or not at all, and what JSON cannot say.

export { FileError, makeFolder, writeFileAtomic } from './atomic-file.js';
export { infinityToWord, wordToInfinity } from './json.js';
export { SealError, openSealed, writeSealed } from './sealed-file.js';
export type { SealFault } from './sealed-file.js';
