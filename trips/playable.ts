// What a scenario says that would quietly come to nothing: a skill that no driver has, one that no recorded booking needs,
// hours after the record's end.

import { EngineError } from '../engine/index.js';
import type { CompiledScenario, Dataset } from '../engine/index.js';

/**
 * @param recordedSeconds how long the recorded part of a day is; default: what the data says, if it does
 * @throws EngineError `ERR_SCENARIO` with the field, its value and what would be right
 */
export function checkPlayable(compiled: CompiledScenario, recordedSeconds?: number): void {
  const { scenario, dataset } = compiled;
  const { drivers, skills, horizonSeconds } = scenario;
  let needed = 0;
  for (const bits of dataset?.trace.skills ?? []) needed |= bits;
  skills.forEach(({ name, driverShare, bookingShare }, k) => {
    if (dataset !== null && ((needed >>> k) & 1) === 0) {
      throw fault(
        `skills[${k}].name`,
        JSON.stringify(name),
        `must be one that recorded bookings need, and none in this data needs ${skills.length === 1 ? 'any' : 'it'}: leave it out`,
      );
    }
    const having = Math.floor(drivers * driverShare);
    const least = Math.ceil(1e4 / drivers) / 1e4;
    if (having === 0 && driverShare > 0) {
      throw fault(
        `skills[${k}].driverShare`,
        driverShare,
        `must be at least ${least}: of ${drivers} drivers it makes none`,
      );
    }
    if (having === 0 && dataset === null && bookingShare > 0) {
      throw fault(
        `skills[${k}].driverShare`,
        driverShare,
        `must be at least ${least}, or bookingShare (${bookingShare}) 0: bookings would need what no driver has`,
      );
    }
  });
  if (dataset === null) return;
  const recorded = recordedSeconds ?? dataset.recordedSeconds;
  if (recorded !== undefined && horizonSeconds > recorded) {
    throw fault('horizonSeconds', horizonSeconds, `must be at most ${recorded}: the recorded days are no longer`);
  }
}

/**
 * Before a scenario is compiled with recorded trips, in the words of who writes scenario files.
 * @throws EngineError `ERR_SCENARIO` if recorded bookings need more skills than the scenario names
 */
export function checkSkillsNamed(candidate: { readonly skills?: unknown }, { trace }: Dataset): void {
  const { skills = [] } = candidate;
  if (!Array.isArray(skills)) return;
  let needed = 0;
  for (const bits of trace.skills) needed |= bits;
  if (needed >>> skills.length > 0) {
    throw fault(
      'skills',
      `a list of ${skills.length}`,
      `must have the ${32 - Math.clz32(needed)} skills that recorded bookings need, in their order`,
    );
  }
}

function fault(field: string, actual: unknown, remedy: string): EngineError {
  return new EngineError('ERR_SCENARIO', `scenario field "${field}" is ${String(actual)}: it ${remedy}`);
}
