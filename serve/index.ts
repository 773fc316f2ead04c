// The service's public names.

export { algorithms, addKey, KeyRing, roles } from './auth.js';
export type { Algorithm, Caller, Role } from './auth.js';
export { WebhookConnector, dryRunConnector } from './connector.js';
export type { Connector, Delivery, WebhookOptions } from './connector.js';
export { Background } from './background.js';
export { ServeError } from './errors.js';
export type { ServeErrorCode } from './errors.js';
// createServer is in server.js: Fastify takes longer to load than all the rest, and most commands serve nobody.
export type { ServerOptions } from './server.js';
export { Service } from './service.js';
export type { ServiceOptions } from './service.js';
