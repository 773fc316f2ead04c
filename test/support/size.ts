// Attacks come in two sizes: `npm test` runs them short, `npm run test:long` in full (vitest.long.config.ts). Both make the same
// claims. Tests that use this carry the tag `attack`, which the long run picks.

/** The size of an attack in this run. */
export const sized = <T>(short: T, full: T): T => (process.env['FLEETSTEP_TEST_SIZE'] === 'full' ? full : short);

/** A count as the name of a test tells it. */
export const told = (count: number): string => count.toLocaleString('en');
