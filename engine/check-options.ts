// Checks of what callers give, once, at the edge: whole numbers, choices, names of options, scenarios. Each message says what was
// found and what is allowed. All rooms check with this class, each with its own error.

import type { CompiledScenario } from './compile.js';
import { EngineError } from './errors.js';
import { nearest } from './nearest-name.js';
import { shown } from './shown.js';

/** Makes the error that a failed check throws. */
export type Fault = (message: string) => Error;

/** Checks of option values for one room. Each method throws that room's error, which names field, value and remedy. */
export class OptionCheck {
  readonly #fault: Fault;

  /** @param fault makes the room's error from a message */
  constructor(fault: Fault) {
    this.#fault = fault;
  }

  /**
   * `value` is an object with no members but `known`, and all of `required`.
   * @param where what `value` is, as a path or a call
   * @param how   how it is given rightly
   */
  members(
    where: string,
    value: unknown,
    known: readonly string[],
    required: readonly string[] = [],
    how = `one object with ${known.join(', ')}`,
  ): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
      throw this.#fault(`${where} is ${shown(value)}: it must be ${how}`);
    }
    for (const name of Object.keys(value)) {
      if (known.includes(name)) continue;
      const near = nearest(name, known);
      throw this.#fault(
        `${where} has no "${name}"${near === null ? '' : `: did you mean "${near}"?`} (it has ${known.join(', ')})`,
      );
    }
    for (const name of required) {
      if ((value as Record<string, unknown>)[name] === undefined) throw this.#fault(`${where}.${name} is missing`);
    }
  }

  /** `value` is a whole number from `min` to `max`, both included. */
  whole(name: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
    const bound = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw this.#fault(`${name} is ${shown(value)}: it must be a whole number ${bound}`);
  }

  /** `value` is a number above `low` and at most `high`. */
  within(name: string, value: unknown, low: number, high: number): void {
    if (typeof value === 'number' && value > low && value <= high) return;
    throw this.#fault(`${name} is ${shown(value)}: it must be above ${low} and at most ${high}`);
  }

  /** `value` is a number from `min` to `max`, both included. */
  between(name: string, value: unknown, min: number, max: number): void {
    if (typeof value === 'number' && value >= min && value <= max) return;
    throw this.#fault(`${name} is ${shown(value)}: it must be from ${min} to ${max}`);
  }

  /** `value` is one of the strings `allowed`; a near miss is suggested. */
  oneOf(name: string, value: unknown, allowed: readonly string[]): void {
    if (typeof value === 'string' && allowed.includes(value)) return;
    const near = typeof value === 'string' ? meant(value, allowed) : null;
    const choice = `choose one of ${allowed.join(', ')}`;
    throw this.#fault(`${name} is ${shown(value)}: ${near === null ? choice : `did you mean "${near}"? (${choice})`}`);
  }

  /** `value` is what `compileScenario` or `loadScenario` returns. */
  compiled(name: string, value: unknown): asserts value is CompiledScenario {
    const given = value as Partial<CompiledScenario> | null | undefined;
    if (typeof given === 'object' && given !== null && given.factorByMinute instanceof Float64Array && given.scenario) {
      return;
    }
    throw this.#fault(`${name} is ${shown(value)}: it must be a scenario as compileScenario gives it`);
  }
}

/** The allowed word that starts with `word`, or differs from it by little. */
function meant(word: string, allowed: readonly string[]): string | null {
  return (word.length > 2 ? allowed.find((name) => name.startsWith(word)) : undefined) ?? nearest(word, allowed);
}

/** Checks for the callers of this room: throws EngineError `ERR_OPTION`. */
export const check: OptionCheck = new OptionCheck((message) => new EngineError('ERR_OPTION', message));
