// fastest-validator as a class: the package is CommonJS with the class on `default`, and its types only know the module form.

import FastestValidator from 'fastest-validator';

/** What compiles a schema to a check. */
export const Validator: typeof FastestValidator.default =
  FastestValidator as unknown as typeof FastestValidator.default;
