// All routes: recommendations and decisions under /v1, and the administration of autonomous actions under /api/admin, which
// keeps the paths and parameters of the earlier system. A route is added in the file of its group.

import { actionRoutes } from './action-routes.js';
import { autonomyRoutes } from './autonomy-routes.js';
import { companyRoutes } from './company-routes.js';
import { decisionRoutes } from './decision-routes.js';
import { policyRoutes } from './policy-routes.js';
import { recommendationRoutes } from './recommendation-routes.js';
import type { Route } from './routes.js';
import { runRoutes } from './run-routes.js';
import type { Service } from './service.js';

/** Options of `apiRoutes`. */
export interface ApiOptions {
  /** Computes and records what the routes answer. */
  readonly service: Service;
  /** Path of the folder of training runs; it may be missing. */
  readonly runs: string;
}

/** Every route, in the order of the OpenAPI document. */
export function apiRoutes({ service, runs }: ApiOptions): Route[] {
  return [
    ...recommendationRoutes(service),
    ...decisionRoutes(service),
    ...policyRoutes(service.recommender.policies),
    ...runRoutes(runs),
    ...companyRoutes(service),
    ...actionRoutes(service),
    ...autonomyRoutes(service),
  ];
}
