// A plugin that measures: seconds by route, requests that were shed, requests in flight; and one line of the log for each answer.

import type { FastifyPluginCallback } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Load } from './load.js';

/** What is measured. */
export interface Meters {
  readonly registry: Registry;
  readonly seconds: Histogram<'method' | 'route' | 'status'>;
  readonly shed: Counter;
  readonly inFlight: Gauge & { collect: () => void };
}

/** Meters of one server, with those of its process. */
export function metersOf(): Meters {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    seconds: new Histogram({
      name: 'fleetstep_http_request_seconds',
      help: 'Seconds from a request to its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    shed: new Counter({
      name: 'fleetstep_http_shed_total',
      help: 'Requests told to come again: overloaded',
      registers,
    }),
    inFlight: new Gauge({
      name: 'fleetstep_http_in_flight',
      help: 'Requests that are worked on',
      registers,
    }) as Gauge & { collect: () => void },
  };
}

export interface MetricsOptions {
  readonly meters: Meters;
  readonly load: Load;
}

/** `/metrics`, and what fills it. */
export const metrics: FastifyPluginCallback<MetricsOptions> = fastifyPlugin(
  (app, { meters, load }: MetricsOptions, done: () => void) => {
    meters.inFlight.collect = () => meters.inFlight.set(load.inFlight);
    app.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url ?? 'unknown';
      const { method } = request;
      const { statusCode: status, elapsedTime: ms } = reply;
      meters.seconds.labels(method, route, String(status)).observe(ms / 1000);
      request.log.info({ method, route, status, ms: Math.round(ms * 100) / 100 }, 'answered');
      return Promise.resolve();
    });
    app.get('/metrics', { config: { open: true } }, async (_, reply) =>
      reply.type(meters.registry.contentType).send(await meters.registry.metrics()),
    );
    done();
  },
);
