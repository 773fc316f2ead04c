// No file of a room imports, directly or through others, a file that imports it: the graph of imports is made from the sources,
// types included, as what is only a type today is a value tomorrow.

import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { rooms } from '../eslint.boundaries.js';

const root = fileURLToPath(new URL('..', import.meta.url));

type Graph = ReadonlyMap<string, readonly string[]>;

function sourcesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => normalize(`${folder}/${name}`));
}

/** The files that `text`, the source of `file`, imports by a relative path: statically, by `export from`, and by `import()`. */
function importsOf(file: string, text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const name =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined;
    if (name !== undefined && ts.isStringLiteralLike(name) && name.text.startsWith('.')) {
      found.push(normalize(join(dirname(file), name.text)).replace(/\.js$/, '.ts'));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest));
  return found;
}

function graphOf(sources: ReadonlyMap<string, string>): Graph {
  return new Map([...sources].map(([file, text]) => [file, importsOf(file, text).filter((name) => sources.has(name))]));
}

/** Groups of files of which each one reaches every other (Tarjan 1972), each sorted; a file that imports itself is one. */
function circlesOf(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    const place = order.size;
    order.set(file, place);
    let lowest = place;
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, order.get(next)!);
    }
    low.set(file, lowest);
    if (lowest === place) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1 || graph.get(file)!.includes(file)) found.push(group.sort());
    }
    return lowest;
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

it('a planted circle is found, also one of types, and one through a third file', () => {
  const graph = graphOf(
    new Map([
      ['a/one.ts', "import type { Two } from './two.js';"],
      ['a/two.ts', "export { three } from '../b/three.js';"],
      ['b/three.ts', "const one = await import('../a/one.js');"],
      ['b/four.ts', "import { three } from './three.js';"],
      ['b/five.ts', "type Own = import('./five.js').Own;"],
    ]),
  );
  expect(circlesOf(graph)).toEqual([['a/one.ts', 'a/two.ts', 'b/three.ts'], ['b/five.ts']]);
});

it('no room has a circle of imports', () => {
  const files = [...Object.keys(rooms), 'cli', 'bench'].flatMap(sourcesOf);
  const graph = graphOf(new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')])));
  expect(graph.size).toBeGreaterThan(200);
  expect(graph.get('audit/verify.ts')).toContain('audit/chain-check.ts');
  expect(circlesOf(graph)).toEqual([]);
});
