// Words for the rules of answers.

import type { Props, Rule } from './schema.js';

/** A number or a short word. */
export const id: Rule = { type: 'id' };
/** Any number. */
export const number = (description?: string): Rule => ({
  type: 'number',
  ...(description === undefined ? {} : { description }),
});
/** A whole number, as times and distances are. */
export const seconds = (description: string): Rule => ({ type: 'number', integer: true, description });
/** Any string. */
export const text: Rule = { type: 'string' };
/** A list of such items. */
export const list = (items: Rule, description?: string): Rule => ({
  type: 'array',
  items,
  ...(description === undefined ? {} : { description }),
});
/** An object of exactly these members. */
export const object = (
  props: Props,
  more: { nullable?: boolean; optional?: boolean; description?: string } = {},
): Rule => ({
  type: 'object',
  strict: true,
  props,
  ...more,
});
/** The same, or null. */
export const nullable = <R extends Rule>(rule: R): R & { readonly nullable: true } => ({ ...rule, nullable: true });
/** True or false. */
export const flag: Rule = { type: 'boolean' };
/** A whole number. */
export const whole: Rule = { type: 'number', integer: true };
/** A time in words. */
export const date: Rule = { type: 'string', description: 'ISO 8601' };
/** What another file says. */
export const anything = (description: string): Rule => ({ type: 'any', nullable: true, description });
