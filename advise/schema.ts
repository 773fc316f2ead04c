// Bodies and queries: one schema each, checked by fastest-validator, and shown in the OpenAPI document as JSON Schema.

import type { ValidationError } from 'fastest-validator';
import { Validator, shownJson } from '../engine/index.js';
import { AdviseError } from './errors.js';
import type { Id, Props, Rule } from './rules.js';

const validator = new Validator({
  haltOnFirstError: true,
  useNewCustomCheckerFunction: true,
  // A null is a value, and only where it is said one that is allowed.
  considerNullAsAValue: true,
});

const ID = /^[\w.:-]{1,64}$/;
const ID_WORDS = 'a whole number, or up to 64 letters, digits and . : _ -';

/** Whether a value is an `Id`. */
export function isId(value: unknown): value is Id {
  return typeof value === 'string' ? ID.test(value) : Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The first thing that is wrong with a value. */
export interface Fault {
  /** `pickup.location`, or empty for the whole. */
  readonly path: string;
  /** Value and remedy; the path goes before it. */
  readonly message: string;
  /** More of the same kind: the other members of that object that are not known. */
  readonly also?: readonly Fault[];
}

/** A function that finds the first fault of an object with exactly these members. */
export function compile(props: Props): (value: unknown) => Fault | null {
  const schema = Object.fromEntries(Object.entries(props).map(([name, rule]) => [name, ruleOf(rule)]));
  const check = validator.compile({ $$strict: true, ...schema }) as (value: unknown) => unknown;
  return (value) => {
    if (isDeep(value, DEEPEST)) return { path: '', message: `is nested more than ${DEEPEST} deep` };
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { path: '', message: `is ${shownJson(value)}: expected an object` };
    }
    const result = check(value);
    return result === true ? null : faultOf((result as ValidationError[])[0], value, props);
  };
}

/** Deeper than anything that is asked for; what comes after may look at a value recursively. */
const DEEPEST = 16;

function isDeep(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  // Rows of numbers are most of a large body.
  if (Array.isArray(value)) return value.some((member) => typeof member === 'object' && isDeep(member, left - 1));
  return Object.values(value).some((member) => typeof member === 'object' && isDeep(member, left - 1));
}

/** Throws a fault, if there is one. @throws AdviseError `ERR_REQUEST` naming the first fault, and those of its kind */
export function refuse(fault: Fault | null): void {
  if (fault === null) return;
  const faults = [fault, ...(fault.also ?? [])].map(({ path, message }) => ({
    path,
    message: `${path === '' ? 'the body' : path} ${message}`,
  }));
  const text = faults.map(({ message }) => message).join('; ');
  throw new AdviseError('ERR_REQUEST', text, { path: fault.path, ...(faults.length > 1 ? { faults } : {}) });
}

/** The path of a member of a member. */
export function join(outer: string, inner: string): string {
  if (outer === '' || inner === '') return outer + inner;
  return inner.startsWith('[') ? `${outer}${inner}` : `${outer}.${inner}`;
}

function ruleOf(rule: Rule): unknown {
  const own = { ...rule, nullable: rule.nullable ?? false };
  switch (own.type) {
    case 'id':
      return {
        type: 'any',
        nullable: own.nullable,
        ...(own.optional === true ? { optional: true } : {}),
        custom: (value: unknown, errors: { type: string; actual: unknown }[]) => {
          if (value !== undefined && value !== null && !isId(value)) errors.push({ type: 'id', actual: value });
          return value;
        },
      };
    case 'array':
      return { ...own, items: ruleOf(own.items) };
    case 'tuple':
      // Without this an empty list would pass.
      return { ...own, empty: false, items: own.items.map(ruleOf) };
    case 'record':
      return { ...own, key: ruleOf(own.key), value: ruleOf(own.value) };
    case 'object':
      return { ...own, props: Object.fromEntries(Object.entries(own.props).map(([k, r]) => [k, ruleOf(r)])) };
    default:
      return own;
  }
}

function faultOf({ type, field, expected, message }: ValidationError, value: unknown, props: Props): Fault {
  const path = field ?? '';
  const { rule, value: found } = memberAt({ type: 'object', props }, value, path);
  if (type === 'objectStrict') return unknownMembers(path, found as object, rule?.type === 'object' ? rule.props : {});
  if (type === 'required') {
    // The library names a list or a tuple where one of its items is null.
    if (Array.isArray(found)) {
      const k = found.findIndex((item) => item === null || item === undefined);
      const item = rule?.type === 'array' ? rule.items : rule?.type === 'tuple' ? rule.items[k] : undefined;
      return { path: `${path}[${k}]`, message: `is null: expected ${shapeOf(item)}` };
    }
    return {
      path,
      message: found === null ? `is null: expected ${shapeOf(rule)}` : `is missing: give ${shapeOf(rule)}`,
    };
  }
  // A number that is too large is often of another unit.
  const about = rule?.type === 'number' && rule.description !== undefined ? ` (${rule.description})` : '';
  const remedy = type.startsWith('tuple')
    ? `expected ${shapeOf(rule)}`
    : remedyOf(type, String(expected), message ?? 'it is not allowed');
  return { path, message: `is ${shownJson(found)}: ${remedy}${about}` };
}

function remedyOf(type: string, expected: string, message: string): string {
  switch (type) {
    case 'enumValue':
      return `expected one of ${expected}`;
    case 'id':
      return `expected ${ID_WORDS}`;
    case 'stringPattern':
      return `it must match the pattern ${expected}`;
    default: {
      // The library's sentence repeats the field's name.
      const verb = message.indexOf('must');
      return verb < 0 ? message : `it ${message.slice(verb).replace(/[.!]$/, '').trim()}`;
    }
  }
}

/** What to do about an unknown member of such a name. */
const remedies: Readonly<Record<string, string>> = {
  costs:
    'costs are not used, as vehicles are chosen by time and distance; send durations and distances, or set options.format to "vroom"',
  ...Object.fromEntries(
    [
      ...[
        'jobs',
        'end',
        'end_index',
        'breaks',
        'speed_factor',
        'max_tasks',
        'max_travel_time',
        'max_distance',
        'steps',
      ],
      ...['type', 'setup', 'setup_per_type', 'service_per_type', 'max_ride_time'],
    ].map((name) => [name, 'it belongs to whole routes: set options.format to "vroom"']),
  ),
};

/** One fault for each, the last with what is known there. */
function unknownMembers(path: string, value: object, props: Props): Fault {
  const names = Object.keys(value).filter((name) => !Object.hasOwn(props, name));
  const known = `the known fields here are ${Object.keys(props).join(', ')}`;
  const [first, ...also] = names.map((name, k): Fault => {
    const remedy = Object.hasOwn(remedies, name) ? [remedies[name]] : [];
    const words = [...remedy, ...(k === names.length - 1 ? [known] : [])];
    // What somebody calls a member may be long.
    const short = name.length > 64 ? `${name.slice(0, 61)}...` : name;
    return {
      path: join(path, short),
      message: `is not a known field${words.length > 0 ? `: ${words.join('; ')}` : ''}`,
    };
  });
  return also.length > 0 ? { ...first, also } : first;
}

interface Member {
  readonly rule: Rule | undefined;
  readonly value: unknown;
}

/** The member of a member at a path such as `vehicles[1].start`; names in a record may hold dots. */
function memberAt(rule: Rule | undefined, value: unknown, path: string): Member {
  if (path === '') return { rule, value };
  const index = /^\[(\d+)\]/.exec(path);
  if (index !== null) {
    const k = Number(index[1]);
    const member = Array.isArray(value) ? (value[k] as unknown) : undefined;
    const items = rule?.type === 'array' ? rule.items : rule?.type === 'tuple' ? rule.items[k] : undefined;
    return memberAt(items, member, path.slice(index[0].length));
  }
  const rest = path.replace(/^\./, '');
  const own = typeof value === 'object' && value !== null ? value : {};
  const names = [...Object.keys(own), ...(rule?.type === 'object' ? Object.keys(rule.props) : [])];
  const name = names
    .filter((one) => rest.startsWith(one) && /^$|^[.[]/.test(rest.slice(one.length)))
    .reduce<string | undefined>((a, b) => (a === undefined || b.length > a.length ? b : a), undefined);
  if (name === undefined) return { rule: undefined, value: undefined };
  const member = Object.hasOwn(own, name) ? (own as Readonly<Record<string, unknown>>)[name] : undefined;
  const inner =
    rule?.type === 'record'
      ? rule.value
      : rule?.type === 'object' && Object.hasOwn(rule.props, name)
        ? rule.props[name]
        : undefined;
  return memberAt(inner, member, rest.slice(name.length));
}

/** In a few words, what a value should look like. */
function shapeOf(rule: Rule | undefined): string {
  const about = rule?.description === undefined ? '' : ` (${rule.description})`;
  switch (rule?.type) {
    case 'number':
      return `a ${rule.integer === true ? 'whole ' : ''}number${about}`;
    case 'string':
      return `a string${about}`;
    case 'boolean':
      return `true or false${about}`;
    case 'enum':
      return `one of ${rule.values.join(', ')}`;
    case 'array':
      return `a list${about}`;
    case 'tuple':
      return `a list of ${rule.items.length}${about}`;
    case 'object':
      return `an object of ${Object.keys(rule.props).join(', ')}${about}`;
    case 'id':
      return ID_WORDS;
    default:
      return 'a value';
  }
}

/** The rule as JSON Schema (draft 2020-12, as OpenAPI 3.1 has it). */
export function jsonSchema(rule: Rule): Record<string, unknown> {
  const described = rule.description === undefined ? {} : { description: rule.description };
  const schema = { ...bareSchema(rule), ...described };
  // Anything may be null anyway.
  if (rule.nullable !== true || rule.type === 'any') return schema;
  return 'type' in schema ? { ...schema, type: [schema.type, 'null'] } : { anyOf: [schema, { type: 'null' }] };
}

function bareSchema(rule: Rule): Record<string, unknown> {
  const given = (entries: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
  switch (rule.type) {
    case 'number':
      return given({ type: rule.integer === true ? 'integer' : 'number', minimum: rule.min, maximum: rule.max });
    case 'string':
      return given({ type: 'string', minLength: rule.min, maxLength: rule.max, pattern: rule.pattern?.source });
    case 'boolean':
      return { type: 'boolean' };
    case 'any':
      return {};
    case 'enum':
      return { type: 'string', enum: rule.values };
    case 'array':
      return given({ type: 'array', items: jsonSchema(rule.items), minItems: rule.min, maxItems: rule.max });
    case 'tuple':
      return {
        type: 'array',
        prefixItems: rule.items.map(jsonSchema),
        minItems: rule.items.length,
        maxItems: rule.items.length,
      };
    case 'id':
      return {
        anyOf: [
          { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
          { type: 'string', pattern: ID.source },
        ],
      };
    case 'record':
      return { type: 'object', propertyNames: jsonSchema(rule.key), additionalProperties: jsonSchema(rule.value) };
    case 'object':
      return { ...objectSchema(rule.props), ...(rule.strict === true ? {} : { additionalProperties: true }) };
  }
}

/** JSON Schema of an object with exactly these members. */
export function objectSchema(props: Props): Record<string, unknown> {
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(props).map(([name, rule]) => [name, jsonSchema(rule)])),
    required: Object.entries(props)
      .filter(([, rule]) => rule.optional !== true)
      .map(([name]) => name),
    additionalProperties: false,
  };
}
