// The bridge's public names: environments for a client in another process.

export { BridgeError } from './errors.js';
export type { BridgeErrorCode } from './errors.js';
export { HELLO, PROTOCOL } from './protocol.js';
export { serveEnvironments } from './server.js';
export type { EnvServerOptions } from './server.js';
