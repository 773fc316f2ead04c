// Skills and loads as bits of the engine: what a shipment needs, a vehicle must have.

import type { CompiledScenario } from '../engine/index.js';
import type { ShipmentInput, VehicleInput } from './request.js';

/** The last bits stand for a skill that no vehicle has, and for an amount that none carries. */
export const NO_SKILL = 29;
const NO_CAPACITY = 30;

/** Which bit stands for which skill or amount in one request. */
export class SkillBits {
  /** A skill that the base scenario does not know is needed. */
  unknown = false;
  /** The bits that stand for loads. */
  capacityBits: number = 1 << NO_CAPACITY;
  readonly #vehicles: readonly VehicleInput[];
  /** Who is able, by bit; the scenario's own skills come first, so that they keep the bits under which a network saw them. */
  readonly #able: ((vehicle: VehicleInput) => boolean)[] = [];
  readonly #bits = new Map<string, number>();

  constructor(base: CompiledScenario, vehicles: readonly VehicleInput[]) {
    this.#vehicles = vehicles;
    for (const { name } of base.scenario.skills) {
      this.#bits.set(`skill ${name}`, this.#able.push((vehicle) => has(vehicle, name)) - 1);
    }
  }

  /** Whether no bit is left for what a shipment needs. */
  full({ skills = [], amount = [] }: ShipmentInput): boolean {
    const keys = new Set(skills.map((skill) => `skill ${skill}`));
    if (amount.some((value) => value > 0)) keys.add(this.#keyOf(amount));
    const fresh = [...keys].filter((key) => !this.#bits.has(key)).length;
    return this.#able.length + fresh > NO_SKILL;
  }

  /** Bits that a shipment needs; gives new skills and loads a bit of their own. */
  needed({ skills = [], amount = [] }: ShipmentInput): number {
    let bits = 0;
    for (const skill of skills) {
      const name = String(skill);
      bits |= 1 << this.#bitOf(`skill ${name}`, NO_SKILL, (vehicle) => has(vehicle, name));
    }
    if (amount.some((value) => value > 0)) {
      const bit = 1 << this.#bitOf(this.#keyOf(amount), NO_CAPACITY, (vehicle) => carries(vehicle, amount));
      this.capacityBits |= bit;
      bits |= bit;
    }
    return bits;
  }

  /** Loads that the same vehicles carry are one. */
  #keyOf(amount: readonly number[]): string {
    return `amount ${this.#vehicles.map((vehicle) => (carries(vehicle, amount) ? 1 : 0)).join('')}`;
  }

  /** Bits that a vehicle has. */
  of(vehicle: VehicleInput): number {
    return this.#able.reduce((bits, able, bit) => (able(vehicle) ? bits | (1 << bit) : bits), 0);
  }

  #bitOf(key: string, nobody: number, able: (vehicle: VehicleInput) => boolean): number {
    const known = this.#bits.get(key);
    if (known !== undefined) return known;
    this.unknown = true;
    const bit = this.#vehicles.some(able) ? this.#able.push(able) - 1 : nobody;
    this.#bits.set(key, bit);
    return bit;
  }
}

/** Whether a vehicle has a skill. */
export function has({ skills = [] }: VehicleInput, name: string): boolean {
  return skills.some((skill) => String(skill) === name);
}

/** Whether a vehicle has room for an amount. */
export function carries({ capacity = [] }: VehicleInput, amount: readonly number[]): boolean {
  return amount.every((value, k) => value <= (capacity[k] ?? 0));
}
