// The policies that can be asked: rules by name, and trained networks that the command line has loaded.

import { createHash } from 'node:crypto';
import { compileScenario, preset } from '../engine/index.js';
import type { CompiledScenario, ObservationKind, World } from '../engine/index.js';
import { Actor, MatchingPolicy, OwnPolicy, argmax, heuristic, heuristicNames, logSumExp } from '../policy/index.js';
import type { HeuristicName, NetworkShape, OwnPolicySpec, Policy } from '../policy/index.js';
import type { Decider } from './decider.js';
import { AdviseError } from './errors.js';
import { LOOKAHEAD, lookaheadDeciders } from './lookahead-policy.js';

/** A trained network, with what it was trained on. */
export interface TrainedNetwork {
  /** Name of its run. */
  readonly name: string;
  /** Whether it comes with the package: it is never the default. */
  readonly isShipped?: boolean;
  /** Sizes of its layers. */
  readonly shape: NetworkShape;
  /** All weights, laid out as `networkLayout` says. */
  readonly weights: Float32Array;
  /** Which observation it was trained on. */
  readonly observation: ObservationKind;
  /** The scenario that it was trained on. */
  readonly compiled: CompiledScenario;
  /** What its card says beyond that: steps, seconds, configuration, evaluation table; plain JSON. */
  readonly training: Readonly<Record<string, unknown>>;
}

/** A policy that can be asked by its name. */
export interface ServedPolicy {
  /** As requests name it. */
  readonly name: string;
  /** Whether weights or a rule decide. */
  readonly kind: 'rule' | 'network';
  /** Whether it is a module of somebody's own: a rule that may fail, or not return. */
  readonly isOwn: boolean;
  /** SHA-256 */
  readonly hash: string;
  /** The world that it knows: rewards, hours, traffic, defaults of options; of a network, what it was trained on. */
  readonly base: CompiledScenario;
  /** What its card says of its training; null for a rule. */
  readonly training: Readonly<Record<string, unknown>> | null;
  /** Which observation its worlds write. */
  readonly observation: ObservationKind;
  /** SHA-256 of the base's scenario. */
  readonly worldHash: string;
  /** Makes one that decides on a world. */
  readonly decider: (world: World) => Decider;
}

/** Rules change only with a version of this: it is part of their hash. */
const RULES_VERSION = 3;

/** Rules that can be asked; random is for comparisons only. */
const served = heuristicNames.filter((name) => name !== 'random');

/** All that can be asked: trained networks, the rules, and look-ahead. */
export class Policies {
  /** The one that is asked if a request names none. */
  readonly default: ServedPolicy;
  /** The planner: decides where the asked one cannot, or leaves out what it must not. */
  readonly fallback: ServedPolicy;
  /** As they were given. */
  readonly networks: readonly TrainedNetwork[];
  /** Modules of somebody's own. */
  readonly own: readonly OwnPolicySpec[];
  /** The world of rules. */
  readonly base: CompiledScenario;
  /** Told when a module of somebody's own fails, and why. */
  report: (fault: string) => void = () => undefined;
  readonly #byName = new Map<string, ServedPolicy>();

  /**
   * @param networks the first that does not come with the package is the default; without any, the first of `own`; without these, `planner`
   * @param base     the world of rules, default geneva
   * @param own      modules that this thread has loaded, with `loadOwnPolicy`
   * @throws AdviseError `ERR_SERVICE` for a scenario of zones, and for a name given twice
   */
  constructor(
    networks: readonly TrainedNetwork[] = [],
    base: CompiledScenario = compileScenario(preset('geneva')),
    own: readonly OwnPolicySpec[] = [],
  ) {
    requirePlane(base);
    this.networks = networks;
    this.own = own;
    this.base = base;
    for (const network of networks) {
      this.#requireNew(network.name, 'the folder of a run');
      requirePlane(network.compiled);
      this.#byName.set(network.name, networkPolicy(network));
    }
    for (const spec of own) {
      this.#requireNew(spec.name, 'the file of a module');
      this.#byName.set(spec.name, ownRule(spec, base));
    }
    for (const name of served) this.#byName.set(name, rulePolicy(name, base));
    this.#byName.set(LOOKAHEAD, {
      ...rulePolicy('hungarian', base),
      name: LOOKAHEAD,
      hash: sha256(`rule ${LOOKAHEAD} ${RULES_VERSION}`),
      decider: lookaheadDeciders(),
    });
    this.fallback = this.#byName.get('planner')!;
    const first = networks.find(({ isShipped }) => isShipped !== true) ?? own[0];
    this.default = first === undefined ? this.fallback : this.#byName.get(first.name)!;
  }

  #requireNew(name: string, what: string): void {
    if (!this.#byName.has(name) && ![...served, LOOKAHEAD].some((rule) => rule === name)) return;
    throw new AdviseError('ERR_SERVICE', `two policies have the name ${name}: rename ${what}`);
  }

  /** The default first. */
  get all(): readonly ServedPolicy[] {
    return [this.default, ...[...this.#byName.values()].filter((policy) => policy !== this.default)];
  }

  /** The policy of that name, the default without one. @throws AdviseError `ERR_REQUEST` naming those that there are */
  named(name: string | undefined): ServedPolicy {
    if (name === undefined) return this.default;
    const found = this.#byName.get(name);
    if (found === undefined) {
      throw new AdviseError(
        'ERR_REQUEST',
        `policy is "${name}": expected one of ${this.all.map((policy) => policy.name).join(', ')}`,
        { path: 'policy' },
      );
    }
    return found;
  }
}

function requirePlane({ scenario }: CompiledScenario): void {
  if (scenario.travel.kind !== 'plane') {
    throw new AdviseError(
      'ERR_SERVICE',
      `scenario "${scenario.name}" has zones without coordinates: the service needs a scenario with coordinates, such as geneva or one made by "fleetstep collect"`,
    );
  }
}

function rulePolicy(name: HeuristicName, base: CompiledScenario): ServedPolicy {
  return {
    name,
    kind: 'rule',
    isOwn: false,
    hash: sha256(`rule ${name} ${RULES_VERSION}`),
    base,
    training: null,
    observation: 'full',
    worldHash: worldHash(base),
    decider: (world) => ruleDecider(heuristic(name), world),
  };
}

/** A module of somebody's own, asked as a rule is. */
function ownRule(spec: OwnPolicySpec, base: CompiledScenario): ServedPolicy {
  return {
    name: spec.name,
    kind: 'rule',
    isOwn: true,
    hash: spec.sha256,
    base,
    training: null,
    observation: spec.observation,
    worldHash: worldHash(base),
    decider: (world) => ruleDecider(new OwnPolicy(spec, world.compiled.scenario), world),
  };
}

function ruleDecider(policy: Policy, world: World): Decider {
  const actions = new Int32Array(world.state.now.length);
  return {
    confidence: null,
    decide: (e) => {
      policy.act(world, e, e + 1, actions);
      return actions[e];
    },
  };
}

function networkPolicy({ name, shape, weights, observation, compiled, training }: TrainedNetwork): ServedPolicy {
  return {
    name,
    kind: 'network',
    isOwn: false,
    hash: sha256(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)),
    base: compiled,
    training,
    observation,
    worldHash: worldHash(compiled),
    decider: (world) => {
      if (shape.kind === 'matching') return ruleDecider(new MatchingPolicy(name, shape, weights), world);
      const actor = new Actor(shape, world);
      actor.load(weights);
      return new NetworkDecider(actor);
    },
  };
}

/** Whole, infinities too. */
function worldHash({ scenario }: CompiledScenario): string {
  return sha256(JSON.stringify(scenario, (_, value: unknown) => (value === Infinity ? 'Infinity' : value)));
}

class NetworkDecider implements Decider {
  confidence = 0;
  readonly #actor: Actor;

  constructor(actor: Actor) {
    this.#actor = actor;
  }

  decide(e: number): number {
    const { starts, logits, actions } = this.#actor;
    this.#actor.consider(e, e + 1);
    const best = argmax(logits, starts[0], starts[1]);
    this.confidence = Math.exp(logits[best] - logSumExp(logits, starts[0], starts[1]));
    return actions[best];
  }
}

/** SHA-256 in hexadecimal. */
export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
