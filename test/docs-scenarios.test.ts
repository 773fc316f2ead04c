// The page of scenario fields and the schema say the same: every field, with its range, and its value in geneva.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { preset, presetNames } from '#engine/index.js';
import { scenarioSchema } from '#engine/validate.js';

interface Rule {
  readonly type: string;
  readonly integer?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly positive?: boolean;
  readonly values?: readonly string[];
  readonly value?: string;
  readonly items?: Rule;
  readonly props?: Readonly<Record<string, Rule>>;
}

const page = readFileSync('docs/scenarios.md', 'utf8');
const kinds = [
  { travel: { kind: 'plane' }, demand: { kind: 'synthetic' }, reward: { kind: 'weighted' } },
  { travel: { kind: 'matrix' }, demand: { kind: 'trace' }, reward: { kind: 'fare' } },
];

/** What a rule allows, in the page's words. */
function allowed(path: string, rule: Rule): string {
  const { type, min, max, values, items } = rule;
  if (path === 'name') return 'lower-case letters, digits, hyphens; at most 60';
  if (type === 'any') return `whole, ${path === 'decisionsPerTick' ? 1 : 0} or more, or \`"Infinity"\``;
  if (type === 'string') return 'text, not empty';
  if (type === 'enum') return values!.map((value) => `\`${value}\``).join(', ');
  if (type === 'array' && items!.type === 'string') return 'list of text';
  if (type === 'array')
    return items!.type === 'object'
      ? `list${max === undefined ? '' : `, at most ${max}`}`
      : `[low, high], whole, ${span(items!)}`;
  return `${rule.integer === true ? 'whole, ' : ''}${rule.positive === true ? `above 0, to ${max}` : `${min} to ${max}`}`;
}

function span({ min, max }: Rule): string {
  return `${min} to ${max}`;
}

/** Every field below `props`, by path. */
function fields(props: Readonly<Record<string, Rule>>, prefix: string): [path: string, allowed: string][] {
  return Object.entries(props).flatMap(([name, rule]): [string, string][] => {
    const path = `${prefix}${name}`;
    if (name.startsWith('$$')) return [];
    if (rule.type === 'object') return fields(rule.props!, `${path}.`);
    if (rule.type === 'equal') return [[path, rule.value!]];
    const own: [string, string] = [path, allowed(path, rule)];
    return rule.type === 'array' && rule.items!.type === 'object'
      ? [own, ...fields(rule.items!.props!, `${path}[].`)]
      : [own];
  });
}

const schema = new Map<string, string>();
for (const kind of kinds) {
  for (const [path, text] of fields(scenarioSchema(kind), '')) {
    if (!path.endsWith('.kind')) schema.set(path, text);
    else schema.set(path, [...(schema.get(path)?.split(', ') ?? []), `\`${text}\``].join(', '));
  }
}

/** Rows of the page's tables of fields: `| path | allowed | unit | geneva | meaning |`. */
const rows = [...page.matchAll(/^\| `([\w.[\]]+)` +\| (.+?) +\| (.*?) +\| (.*?) +\| .+ \|$/gm)].map(
  ([, path, range, , geneva]) => ({ path, range, geneva }),
);

describe('docs/scenarios.md', () => {
  it('has a row for each field of the schema, and for nothing else', () => {
    expect(rows.map(({ path }) => path).sort()).toEqual([...schema.keys()].sort());
  });

  it.each(rows)('says what $path may hold', ({ path, range }) => {
    expect(range).toBe(schema.get(path));
  });

  it.each(rows.filter(({ path }) => !path.includes('[]')))('has geneva’s value of $path', ({ path, geneva }) => {
    const value = path
      .split('.')
      .reduce<unknown>((of, key) => (of as Record<string, unknown> | undefined)?.[key], preset('geneva'));
    const text = JSON.stringify(value);
    expect(geneva).toBe(value === undefined ? '-' : text.includes('[{') ? 'by hour' : `\`${text}\``);
  });

  it('names every built-in scenario', () => {
    for (const name of presetNames) expect(page).toContain(`\`${name}\``);
  });
});
