// Columns have one offset each: labels, named offsets and what is written agree.

import { describe, expect, it } from 'vitest';
import {
  BookingColumn,
  ContextColumn,
  DriverColumn,
  PAIR_COLUMNS,
  PairColumn,
  VectorDispatchEnv,
  observationShape,
  observationSize,
  pairColumns,
  preset,
} from '#engine/index.js';
import type { Scenario } from '#engine/index.js';

const scenario: Scenario = {
  ...preset('geneva-live'),
  name: 'skilled',
  drivers: 4,
  slots: 33,
  skills: [
    { name: 'wheelchair', driverShare: 0.5, bookingShare: 0.5 },
    { name: 'stretcher', driverShare: 0.25, bookingShare: 0.5 },
  ],
  demand: { ...(preset('geneva').demand as Extract<Scenario['demand'], { kind: 'synthetic' }>), returnShare: 0.5 },
};

describe('columns', () => {
  it('carry their labels at their named offsets, skills last', () => {
    const { driverColumns, bookingColumns, contextColumns } = observationShape(scenario, 'full');
    expect(driverColumns[DriverColumn.available]).toBe('available');
    expect(driverColumns[DriverColumn.untilDropoff]).toBe('minutes until next drop-off / 60');
    expect(driverColumns.slice(DriverColumn.skills)).toEqual(['skill wheelchair', 'skill stretcher']);
    expect(bookingColumns[BookingColumn.timeLeft]).toBe('minutes left / 60');
    expect(bookingColumns[BookingColumn.fare]).toBe('fare / 10');
    expect(bookingColumns.slice(BookingColumn.skills)).toEqual(['skill wheelchair', 'skill stretcher']);
    expect(contextColumns[ContextColumn.created]).toBe('created / 100');
    for (const list of [driverColumns, bookingColumns, contextColumns]) {
      expect(list.filter((label) => typeof label === 'string')).toHaveLength(list.length);
      expect(new Set(list).size).toBe(list.length);
    }
    expect(pairColumns[PairColumn.slack]).toBe('slack hours');
    expect(pairColumns[PairColumn.age]).toBe('hours known');
    expect(Object.values(PairColumn)).toEqual(Array.from({ length: PAIR_COLUMNS }, (_, k) => k));
  });

  it('begin with those of classic, which has four, four and two', () => {
    const full = observationShape(scenario, 'full');
    const classic = observationShape(scenario, 'classic');
    expect(classic.driverColumns).toEqual(['x', 'y', 'available', 'load / 10']);
    expect(classic.bookingColumns).toEqual(full.bookingColumns.slice(0, 4));
    expect(classic.contextColumns).toEqual(full.contextColumns.slice(0, 2));
    expect(observationSize(scenario, 'classic')).toBe(4 * 4 + 4 * 33 + 2);
    expect(observationSize(scenario, 'full')).toBe(10 * 4 + 14 * 33 + 5);
  });

  it('hold what they are named for, whatever opens and closes', () => {
    const env = new VectorDispatchEnv({ scenario, numEnvs: 1 });
    const { world } = env;
    const { state: st, out, compiled } = world;
    const booking = (j: number, column: number): number => out.observations[4 * 10 + j * 14 + column];
    env.reset({ seed: 8 });
    const actions = new Int32Array(1);
    let closed = 0;
    for (let t = 0; t < 300; t++) {
      actions[0] = t % 3 === 0 ? 0 : out.actionMasks.lastIndexOf(1);
      env.step(actions);
      for (let i = 0; i < 4; i++) {
        const driver = (column: number): number => out.observations[i * 10 + column];
        expect(driver(DriverColumn.x)).toBeCloseTo(st.endX[i] / compiled.extentX, 5);
        expect(driver(DriverColumn.load)).toBeCloseTo(st.load[i] / 10, 5);
        expect(driver(DriverColumn.available)).toBe(world.isAvailable(0, i) ? 1 : 0);
        expect(driver(DriverColumn.emergency)).toBe(compiled.emergency[i]);
        expect(driver(DriverColumn.skills + 1)).toBe((compiled.driverSkills[i] >>> 1) & 1);
      }
      for (let j = 0; j < 33; j++) {
        if (!world.isOpen(0, j)) {
          closed++;
          for (let k = 0; k < 14; k++) expect(booking(j, k)).toBe(0);
          for (let i = 0; i < 4; i++) expect(out.actionMasks[world.actionOf(i, j)]).toBe(0);
          continue;
        }
        expect(booking(j, BookingColumn.present)).toBe(1);
        expect(booking(j, BookingColumn.dropoffY)).toBeCloseTo(st.dropoffY[j] / compiled.extentY, 5);
        expect(booking(j, BookingColumn.age)).toBeCloseTo((st.now[0] - st.knownAt[j]) / 3600, 5);
        expect(booking(j, BookingColumn.leg)).toBe(st.leg[j]);
        expect(booking(j, BookingColumn.skills)).toBe(st.skills[j] & 1);
      }
    }
    expect(closed).toBeGreaterThan(1000);
  });
});
