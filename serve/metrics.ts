// The plugin of metrics: seconds by route, shed requests, requests in flight; and one line of the log for each answer.

import type { FastifyPluginCallback } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Load } from './load.js';

/** The metrics of one server. */
export interface Meters {
  /** All metrics, with those of the process. */
  readonly registry: Registry;
  /** Seconds from the head of a request to its answer. */
  readonly seconds: Histogram<'method' | 'route' | 'status'>;
  /** Requests rejected because of load. */
  readonly shed: Counter;
  /** Requests in flight; `collect` reads the current value. */
  readonly inFlight: Gauge & { collect: () => void };
}

/** Creates the metrics of one server, and those of its process. */
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
      help: 'Requests rejected with 503 because of load',
      registers,
    }),
    inFlight: new Gauge({
      name: 'fleetstep_http_in_flight',
      help: 'Requests in flight: received and not answered yet',
      registers,
    }) as Gauge & { collect: () => void },
  };
}

/** Options of the plugin `metrics`. */
export interface MetricsOptions {
  /** Where measurements go. */
  readonly meters: Meters;
  /** Knows the requests in flight. */
  readonly load: Load;
}

/** Serves `/metrics` (Prometheus), and measures every answer. */
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
