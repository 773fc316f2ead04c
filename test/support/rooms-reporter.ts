// Coverage as one line for each room, and written to coverage/rooms.json. vitest.config.ts holds what must be reached.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Reporter, Vitest } from 'vitest/node';

/** What is used here of istanbul's coverage map. */
interface CoverageMap {
  files(): string[];
  fileCoverageFor(file: string): {
    toSummary(): { readonly lines: { readonly total: number; readonly covered: number } };
  };
}

interface Counted {
  lines: number;
  covered: number;
}

export default class RoomsReporter implements Reporter {
  private root = process.cwd();

  onInit({ config }: Vitest): void {
    this.root = config.root;
  }

  onCoverage(coverage: unknown): void {
    const map = coverage as CoverageMap;
    const rooms = new Map<string, Counted>();
    for (const file of map.files()) {
      const [room] = relative(this.root, file).split(sep);
      const counted = rooms.get(room) ?? { lines: 0, covered: 0 };
      const { lines } = map.fileCoverageFor(file).toSummary();
      rooms.set(room, { lines: counted.lines + lines.total, covered: counted.covered + lines.covered });
    }
    const percent = ({ lines, covered }: Counted): number => Math.floor((1000 * covered) / lines) / 10;
    const table = [...rooms].sort(([a], [b]) => (a < b ? -1 : 1));
    console.log('\nroom      lines  covered');
    for (const [room, counted] of table) {
      console.log(
        `${room.padEnd(8)} ${String(counted.lines).padStart(6)}  ${percent(counted).toFixed(1).padStart(6)}%`,
      );
    }
    const folder = join(this.root, 'coverage');
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, 'rooms.json'),
      `${JSON.stringify(Object.fromEntries(table.map(([room, counted]) => [room, { ...counted, percent: percent(counted) }])))}\n`,
    );
  }
}
