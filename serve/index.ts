// The service's public names.

export type { Answer, Assignment, Provenance } from './answer.js';
export { ServeError } from './errors.js';
export { Policies } from './policies.js';
export type { ServedPolicy, TrainedNetwork } from './policies.js';
export { Recommender, stateHash } from './recommend.js';
export type { Context, Replay } from './recommend.js';
export { checkRequest } from './request.js';
export type { RecommendRequest } from './request.js';
