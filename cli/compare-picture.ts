// A comparison as a picture: one line for each policy, its mean and interval on one scale, the baseline's mean as a dashed line.

import type { ComparisonResult } from '../train/index.js';

const WIDTH = 760;
const LEFT = 210;
const RIGHT = 40;
const ROW = 36;
const TOP = 64;

/** The picture as SVG text; it needs no other file, and is legible on light and on dark ground. */
export function comparisonSvg({
  entries,
  baseline,
  scenario,
  split,
  episodes,
  verdict,
}: Pick<ComparisonResult, 'entries' | 'baseline' | 'scenario' | 'split' | 'episodes' | 'verdict'>): string {
  const bounds = entries.flatMap(({ mean, low, high }) => [mean, low ?? mean, high ?? mean]);
  const [least, most] = [Math.min(...bounds), Math.max(...bounds)];
  const margin = 0.05 * (most - least || Math.abs(most) || 1);
  const x = (value: number): number =>
    LEFT + ((value - least + margin) / (most - least + 2 * margin)) * (WIDTH - LEFT - RIGHT);
  const height = TOP + ROW * entries.length + 40;
  const rows = entries.map(({ policy, seeds, mean, low, high }, k) => {
    const y = TOP + ROW * (k + 0.5);
    const line =
      low === null || high === null
        ? ''
        : `<line x1="${at(x(low))}" x2="${at(x(high))}" y1="${y}" y2="${y}" stroke="#2f6fb5" stroke-width="3"/>`;
    const label = `${policy}${seeds > 1 ? ` (${seeds} seeds)` : ''}`;
    return (
      `<text x="${LEFT - 12}" y="${y + 5}" text-anchor="end">${escaped(label)}</text>${line}` +
      `<circle cx="${at(x(mean))}" cy="${y}" r="5" fill="#2f6fb5"/>` +
      `<text x="${at(x(mean))}" y="${y - 9}" text-anchor="middle" font-size="12">${mean.toFixed(1)}</text>`
    );
  });
  const base = x(entries.find(({ policy }) => policy === baseline)!.mean);
  const bottom = TOP + ROW * entries.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"
  font-family="sans-serif" font-size="14" fill="#222">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<title>Returns of policies on ${escaped(scenario)}</title>
<text x="16" y="26" font-size="16">${escaped(`${scenario}: mean return on ${episodes} ${split} episodes, 95% intervals`)}</text>
<text x="16" y="46" fill="#555">${escaped(`verdict on ${entries[0].policy} against ${baseline}: ${verdict}`)}</text>
<line x1="${at(base)}" x2="${at(base)}" y1="${TOP}" y2="${bottom}" stroke="#b5582f" stroke-dasharray="5 4"/>
<text x="${at(base)}" y="${bottom + 22}" text-anchor="middle" fill="#b5582f">${escaped(baseline)}</text>
${rows.join('\n')}
</svg>
`;
}

function at(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
