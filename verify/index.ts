// The public names of verify: a check of an episode's log that shares no code with the simulator that wrote it.

export { verifyLog } from './check.js';
export type { VerifiedLog } from './check.js';
export { VerifyError } from './errors.js';
export type { VerifyErrorCode } from './errors.js';
export { ruleMeaning } from './findings.js';
export type { Finding, RuleName } from './findings.js';
