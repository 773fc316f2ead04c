// A page in one file: its style, its data and its code are inside, and it may ask for nothing from outside. The code is that of
// report/page, several modules put one after the other.

import { readFileSync } from 'node:fs';
import { escaped } from './episode-view.js';
import type { PageData } from './page-data.js';

/** What a page is made of. */
export interface PageParts {
  readonly title: string;
  /** HTML of the body, before the code. */
  readonly body: string;
  /** Added to the style that all pages have. */
  readonly style: string;
  /** What the page's code finds in the element `data`. */
  readonly data: PageData;
  /** Somebody else's code and style, before our own. */
  readonly library?: PageLibrary;
}

/** A library that a page carries inside. */
export interface PageLibrary {
  /** It may declare a global. */
  readonly script: string;
  readonly style: string;
}

/** No request leaves the page, whatever is in its data; a page that is served asks its own server alone. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
const servedPolicy = `${policy}; connect-src 'self'`;

/** A self-contained page. */
export function pageHtml({ title, body, style, data, library }: PageParts): string {
  const shared = readFileSync(new URL('../../report/page/style.css', import.meta.url), 'utf8');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${data.askMs === null ? policy : servedPolicy}">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>
${library?.style ?? ''}${shared}${style}
</style>
</head>
<body>
${body}
<script type="application/json" id="data">${embedded(data)}</script>
${library === undefined ? '' : `<script>\n${library.script}</script>\n`}<script>
${pageScript('page')}</script>
</body>
</html>
`;
}

/** JSON that cannot end the element that it stands in. */
function embedded(data: unknown): string {
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}

/**
 * The module `name` of report/page with all that it imports, as one script. Its modules use static imports of each other, each in
 * one line, and no two of them declare the same name.
 */
export function pageScript(name: string): string {
  const done = new Set<string>();
  const parts: string[] = [];
  const add = (module: string): void => {
    if (done.has(module)) return;
    done.add(module);
    const code = readFileSync(new URL(`./page/${module}.js`, import.meta.url), 'utf8');
    const own = code.replace(/^import .* from '\.\/([\w-]+)\.js';\n/gm, (_, other: string) => {
      add(other);
      return '';
    });
    parts.push(own.replace(/^export (?!\{)/gm, '').replace(/^\/\/# sourceMappingURL=.*\n?/gm, ''));
  };
  add(name);
  return `(() => {\n'use strict';\n${parts.join('')}})();\n`;
}
