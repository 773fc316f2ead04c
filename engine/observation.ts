// Shapes and column names of observations. The transition writes them in place (world.ts); this file says what is where.

import type { Scenario } from './scenario.js';

export type ObservationKind = 'classic' | 'full';
export const observationKinds: readonly ObservationKind[] = ['classic', 'full'];

/** Where a row's parts lie: `[driver columns] * N, [booking columns] * M, context columns`. */
export interface ObservationShape {
  readonly driverColumns: readonly string[];
  readonly bookingColumns: readonly string[];
  readonly contextColumns: readonly string[];
}

/**
 * The columns of an observation. Places are scaled by half the area's extent; a driver's place and time are those at
 * which its plan ends, since that is where its next leg starts. An empty slot is all zeros.
 */
export function observationShape(scenario: Scenario, kind: ObservationKind): ObservationShape {
  if (kind === 'classic') {
    return {
      driverColumns: ['x', 'y', 'available', 'load / 10'],
      bookingColumns: ['pickup x', 'pickup y', 'priority / 5', 'minutes left / 60'],
      contextColumns: ['time of day', 'traffic'],
    };
  }
  const skills = scenario.skills.map((skill) => `skill ${skill.name}`);
  return {
    driverColumns: [
      'x',
      'y',
      'available',
      'load / 10',
      'plan / queue',
      'minutes until free / 60',
      'minutes until next drop-off / 60',
      'emergency',
      ...skills,
    ],
    bookingColumns: [
      'pickup x',
      'pickup y',
      'priority / 5',
      'minutes left / 60',
      'present',
      'drop-off x',
      'drop-off y',
      'minutes until window / 60',
      'ride minutes / 60',
      'return leg',
      'minutes known / 60',
      'fare / 10',
      ...skills,
    ],
    contextColumns: ['time of day', 'traffic', 'elapsed', 'open / slots', 'created / 100'],
  };
}

/** Numbers in one observation. */
export function observationSize(scenario: Scenario, kind: ObservationKind): number {
  const shape = observationShape(scenario, kind);
  return (
    shape.driverColumns.length * scenario.drivers +
    shape.bookingColumns.length * scenario.slots +
    shape.contextColumns.length
  );
}
