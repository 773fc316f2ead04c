// Serves the files of the dashboard: its own and those of two libraries. The page requests nothing from other servers but map
// tiles, and those only if the operator configures a tile server.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { ServeError } from './errors.js';

const require = createRequire(import.meta.url);
const root = (name: string): string => dirname(require.resolve(`${name}/package.json`));
const own = fileURLToPath(new URL('.', import.meta.url));

/**
 * Adds the routes of the page, all without a token.
 * @param app         the server
 * @param tiles       template of a tile server, such as `https://tile.example/{z}/{x}/{y}.png`; null: a plain map
 * @param attribution copyright notice of the tiles
 * @param answered    answers the example state; called once, nothing of it is recorded
 * @throws ServeError `ERR_SERVICE` if the template is not valid
 */
export async function addPage(
  app: FastifyInstance,
  tiles: string | null,
  attribution: string,
  answered: (example: object) => Promise<object>,
): Promise<void> {
  const config = { open: true };
  const images = tiles === null ? '' : ` ${originOf(tiles)}`;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    `img-src 'self' data:${images}`,
    "form-action 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
  const page = readFileSync(join(own, '../../serve/page/index.html'), 'utf8');
  app.get('/', { config }, (_, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(page),
  );
  const style = readFileSync(join(own, '../../serve/page/style.css'), 'utf8');
  app.get('/page/style.css', { config }, (_, reply) => reply.type('text/css; charset=utf-8').send(style));
  app.get('/page/config.json', { config }, (_, reply) => reply.send({ tiles, attribution }));
  const example = readFileSync(join(own, '../../docs/state.json'), 'utf8');
  app.get('/page/example.json', { config }, (_, reply) => reply.type('application/json').send(example));
  let answer: Promise<object> | undefined;
  app.get('/page/example-answer.json', { config }, async (_, reply) => {
    // Computed once and cached; computed again if that failed.
    answer ??= answered({ ...(JSON.parse(example) as object), explain: true }).catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return reply.send(await answer);
  });
  const files = [
    { root: join(own, 'page'), prefix: '/page/', allowed: /\.js$/ },
    { root: join(root('leaflet'), 'dist'), prefix: '/lib/leaflet/', allowed: /\.(js|css|png)$/ },
    { root: join(root('uplot'), 'dist'), prefix: '/lib/uplot/', allowed: /\.(js|css)$/ },
  ];
  for (const [k, { root: folder, prefix, allowed }] of files.entries()) {
    await app.register(fastifyStatic, {
      root: folder,
      prefix,
      decorateReply: k === 0,
      cacheControl: false,
      index: false,
      allowedPath: (path) => allowed.test(path),
    });
  }
}

/** The origin of a template, as a source of a content security policy; a subdomain `{s}` becomes `*`. @throws ServeError */
function originOf(template: string): string {
  const example = template.replace('{s}.', 'any-subdomain.').replace(/\{[\w-]+\}/g, '0');
  if (!URL.canParse(example) || !/\{z\}.*\{x\}|\{x\}.*\{z\}/.test(template) || !template.includes('{y}')) {
    throw new ServeError(
      'ERR_SERVICE',
      `the tile template is ${JSON.stringify(template)}: expected one such as https://tile.openstreetmap.org/{z}/{x}/{y}.png`,
    );
  }
  return new URL(example).origin.replace('any-subdomain.', '*.');
}
