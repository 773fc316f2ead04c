// Words for the rules of answers.

import type { Props, Rule } from './schema.js';

export const id: Rule = { type: 'id' };
export const number = (description?: string): Rule => ({
  type: 'number',
  ...(description === undefined ? {} : { description }),
});
export const seconds = (description: string): Rule => ({ type: 'number', integer: true, description });
export const text: Rule = { type: 'string' };
export const list = (items: Rule, description?: string): Rule => ({
  type: 'array',
  items,
  ...(description === undefined ? {} : { description }),
});
export const object = (
  props: Props,
  more: { nullable?: boolean; optional?: boolean; description?: string } = {},
): Rule => ({
  type: 'object',
  strict: true,
  props,
  ...more,
});
export const nullable = <R extends Rule>(rule: R): R & { readonly nullable: true } => ({ ...rule, nullable: true });
export const flag: Rule = { type: 'boolean' };
export const whole: Rule = { type: 'number', integer: true };
export const date: Rule = { type: 'string', description: 'ISO 8601' };
export const anything = (description: string): Rule => ({ type: 'any', nullable: true, description });
