// The service's public names.

export type { Answer, Assignment, Provenance } from './answer.js';
export { algorithms, addKey, KeyRing, roles } from './auth.js';
export type { Algorithm, Caller, Role } from './auth.js';
export { WebhookConnector, dryRunConnector } from './connector.js';
export type { Connector, Delivery, WebhookOptions } from './connector.js';
export { Background } from './background.js';
export { isSinceMidnight } from './clock.js';
export { ServeError } from './errors.js';
export { hashOf } from './packed.js';
export { Policies } from './policies.js';
export type { ServedPolicy, TrainedNetwork } from './policies.js';
export { Recommender } from './recommend.js';
export type { Context } from './recommend.js';
export type { Replay } from './decide.js';
export { checkRequest } from './request.js';
export type { RecommendRequest } from './request.js';
// createServer is in server.js: Fastify takes longer to load than all the rest, and most commands serve nobody.
export type { ServerOptions } from './server.js';
export { Service } from './service.js';
export type { ServiceOptions } from './service.js';
export { SimulatedFleet } from './simulated.js';
