// A proxy before a server on this machine whose connections can be made to go silent: no data, no end, no reset, as where a
// network drops packets.

import { createServer, connect as openSocket } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Database } from '#audit/index.js';

export interface SilentProxy {
  /** The way through it. */
  readonly database: Database;
  /** Nothing is forwarded any more on the connections that are open. */
  silence(): void;
  close(): Promise<void>;
}

export async function silentProxy(database: Database): Promise<SilentProxy> {
  const target = Number(new URL(database.appUrl).port);
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((client) => {
    const upstream = openSocket(target, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) socket.on('error', () => socket.destroy());
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const through = (url: string): string => url.replace(`:${target}/`, `:${port}/`);
  return {
    database: { ...database, appUrl: through(database.appUrl), ownerUrl: through(database.ownerUrl) },
    silence() {
      for (const [client, upstream] of pairs) {
        client.unpipe(upstream);
        upstream.unpipe(client);
        for (const socket of [client, upstream]) socket.pause();
      }
    },
    async close() {
      for (const socket of [...pairs].flat()) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
