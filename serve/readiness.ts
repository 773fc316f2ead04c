// The plugin of liveness and readiness, `/health` and `/ready`, and of draining: on shutdown every request in flight is answered.

import type { FastifyPluginCallback } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { DeadlinePool } from '../audit/index.js';
import { debug } from './debug.js';
import type { Load } from './load.js';

/** Milliseconds for the database to answer `/ready`. */
const READY_MS = 1500;

/** Options of the plugin `readiness`. */
export interface ReadinessOptions {
  /** Asked whether the database answers. */
  readonly pool: DeadlinePool;
  /** Knows the requests in flight. */
  readonly load: Load;
  /** Version of the package, shown by `/health`. */
  readonly version: string;
}

/** Serves `/health` and `/ready`. From `app.close()` on, `/ready` is 503 and every connection is closed after its answer. */
export const readiness: FastifyPluginCallback<ReadinessOptions> = fastifyPlugin(
  (app, { pool, load, version }: ReadinessOptions, done: () => void) => {
    let draining = false;
    app.addHook('onSend', async (_, reply) => {
      // So that clients send their next request on another connection.
      if (draining) void reply.header('connection', 'close');
      return Promise.resolve();
    });
    app.addHook('onResponse', async (request) => {
      // An open connection would keep the service from ending.
      if (draining) request.raw.socket.destroySoon();
      return Promise.resolve();
    });
    app.addHook('preClose', async () => {
      draining = true;
      debug('draining, %d requests in flight', load.inFlight);
      // Node does not count a connection without a request as idle, and would wait until it times out.
      const look = setInterval(() => {
        if (load.inFlight > 0) return;
        clearInterval(look);
        app.server.closeAllConnections();
      }, 100);
      return Promise.resolve();
    });
    app.get('/health', { config: { open: true } }, (_, reply) => reply.send({ status: 'ok', version }));
    app.get('/ready', { config: { open: true } }, async (_, reply) => {
      const database = await pool
        .ask(async (sql) => sql`select 1`, READY_MS)
        .then(
          () => true,
          () => false,
        );
      const ready = database && !draining;
      if (!ready) void reply.header('retry-after', '1');
      return reply.code(ready ? 200 : 503).send({ ready, database, draining });
    });
    done();
  },
);
