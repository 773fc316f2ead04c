// A plugin that says whether the service is there: `/health`, `/ready`, and how it ends, with nobody left waiting.

import type { FastifyPluginCallback } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { DeadlinePool } from '../audit/index.js';
import type { Load } from './load.js';

/** For `/ready`. */
const READY_MS = 1500;

export interface ReadinessOptions {
  readonly pool: DeadlinePool;
  readonly load: Load;
  readonly version: string;
}

/** From `app.close()` on it is not ready, and connections end with their answer. */
export const readiness: FastifyPluginCallback<ReadinessOptions> = fastifyPlugin(
  (app, { pool, load, version }: ReadinessOptions, done: () => void) => {
    let draining = false;
    app.addHook('onSend', async (_, reply) => {
      // Whoever keeps his connection would ask on one that ends.
      if (draining) void reply.header('connection', 'close');
      return Promise.resolve();
    });
    app.addHook('onResponse', async (request) => {
      // A connection that stays open would keep the service from ending.
      if (draining) request.raw.socket.destroySoon();
      return Promise.resolve();
    });
    app.addHook('preClose', async () => {
      draining = true;
      // A connection on which nobody has asked yet is not idle to Node, and would be waited for until it times out.
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
