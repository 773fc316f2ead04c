// Serves a report while what it tells of is under way, on this machine alone. It only reads files, in the time that the command leaves,
// so results do not depend on it.

import Fastify from 'fastify';
import { setTimeout } from 'node:timers/promises';
import { ReportError } from './errors.js';
import { reportHtml } from './report-frame.js';

/** What a page is served of. */
export interface LiveSource {
  /** Title until there is a page. */
  readonly title: string;
  /** Another text once the page would be another one; asked for often. */
  stamp(): string;
  /** The page, which asks again after so many milliseconds; null as long as there is nothing to show. */
  page(askMs: number): string | null;
}

/** A page that is served. */
export interface LivePage {
  /** Where it is. */
  readonly url: string;
  /** Ends it, once those who look at it have the last state, or some seconds have passed. */
  close(): Promise<void>;
}

/** Milliseconds between a page's questions. */
const ASK_MS = 1000;
/** After this long without a question a reader is gone. */
const GONE_MS = 3 * ASK_MS;
/** A page is made again only when this many times the time that it took has passed: at most 5% of the command's time. */
const REST = 20;

/**
 * Serves a page on 127.0.0.1.
 * @param port 0 for any that is free
 * @throws ReportError `ERR_PORT` if the port is taken, or may not be used
 */
export async function serveLive(source: LiveSource, port: number): Promise<LivePage> {
  const pages = new Pages(source);
  const readers = new Map<string, { readonly at: number; readonly hasLast: boolean }>();
  let ended = false;
  const app = Fastify({ logger: false, forceCloseConnections: true });
  // A page elsewhere whose name leads to this machine gets nothing.
  app.addHook('onRequest', async (request, reply) => {
    if (/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? '')) return;
    await reply.code(403).send('This page is served to this machine alone, as 127.0.0.1 or localhost.\n');
  });
  app.get('/', (_, reply) => reply.type('text/html').header('cache-control', 'no-store').send(pages.now().html));
  app.get<{ Querystring: { reader?: string; tag?: string } }>('/page', (request, reply) => {
    const { reader = '', tag } = request.query;
    const { html, stamp, fault } = pages.now();
    if (reader !== '') readers.set(reader, { at: performance.now(), hasLast: ended });
    void reply.headers({
      'cache-control': 'no-store',
      'x-page-tag': encodeURIComponent(stamp),
      'x-page-last': String(ended),
      'x-page-fault': encodeURIComponent(fault),
    });
    return tag === stamp ? reply.code(204).send() : reply.type('text/html').send(html);
  });
  let url: string;
  try {
    url = await app.listen({ host: '127.0.0.1', port });
  } catch (cause) {
    await app.close();
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'the port is taken' : message;
    throw new ReportError(
      'ERR_PORT',
      `cannot serve the page on 127.0.0.1:${port}: ${why}; give another port, or none for one that is free`,
      { cause },
    );
  }
  return {
    url,
    close: async () => {
      ended = true;
      pages.finish();
      const isWaiting = (): boolean =>
        [...readers.values()].some(({ at, hasLast }) => !hasLast && performance.now() - at < GONE_MS);
      while (isWaiting()) await setTimeout(50);
      await app.close();
    },
  };
}

/** The page as it was made last. */
class Pages {
  readonly #source: LiveSource;
  #html: string;
  /** Of the page that is there; empty for that of the beginning. */
  #stamp = '';
  /** Why no newer one could be made. */
  #fault = '';
  /** When the next may be made. */
  #next = 0;

  constructor(source: LiveSource) {
    this.#source = source;
    this.#html = reportHtml({
      ...{ title: source.title, subtitle: 'under way', curves: null, episode: null, askMs: ASK_MS },
      sections: '<p>There is nothing to show yet. This page fills itself.</p>',
    });
  }

  now(): { readonly html: string; readonly stamp: string; readonly fault: string } {
    if (performance.now() >= this.#next) this.#renew();
    return { html: this.#html, stamp: this.#stamp, fault: this.#fault };
  }

  /** Makes the last one. */
  finish(): void {
    this.#renew();
    this.#next = Infinity;
  }

  #renew(): void {
    const started = performance.now();
    try {
      const stamp = this.#source.stamp();
      if (stamp !== this.#stamp) {
        const html = this.#source.page(ASK_MS);
        if (html !== null) {
          this.#html = html;
          this.#stamp = stamp;
        }
      }
      this.#fault = '';
    } catch (error) {
      // The command goes on, and the page says why it stands still.
      this.#fault = (error as Error).message;
    }
    this.#next = performance.now() + REST * (performance.now() - started);
  }
}
