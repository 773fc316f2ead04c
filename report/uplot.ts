// The chart library that pages with curves carry inside: uPlot, under the MIT licence, whose text goes with it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { PageLibrary } from './page-html.js';

/** uPlot as it is written into a page; it declares the global `uPlot`. */
export function uplot(): PageLibrary {
  const folder = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return {
    script: `/*!\nuPlot\n${text('LICENSE')}\n*/\n${text('dist/uPlot.iife.min.js')}`,
    style: text('dist/uPlot.min.css'),
  };
}
