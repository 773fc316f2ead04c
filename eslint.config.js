// Type-checked rules; above all no floating promises: an unawaited query is a lost row.

import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import jsdoc from 'eslint-plugin-jsdoc';
import tseslint from 'typescript-eslint';
import { boundaries, rooms } from './eslint.boundaries.js';

/** Rooms in which every exported name, and every public member of an exported class, has a doc comment. */
const documentedRooms = [
  'advise',
  'policy',
  'audit',
  'train',
  'engine',
  'workers',
  'trips',
  'files',
  'serve',
  'cli',
  'jobs',
  'routing',
  'bridge',
  'report',
  'verify',
];

/** What needs a doc comment where it is exported. A constructor's is wanted only where the class does not say enough. */
const documented = [
  'ClassDeclaration',
  'FunctionDeclaration',
  'TSEnumDeclaration',
  'TSInterfaceDeclaration',
  'TSTypeAliasDeclaration',
  'Program > ExportNamedDeclaration > VariableDeclaration',
  'MethodDefinition[kind!="constructor"][accessibility!="private"][key.type!="PrivateIdentifier"]',
  'PropertyDefinition[accessibility!="private"][key.type!="PrivateIdentifier"]',
  'TSAbstractMethodDefinition',
  'TSAbstractPropertyDefinition',
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'runs/', 'policy/kernel/', 'coverage/', 'docs/api/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./test/tsconfig.json', './serve/page/tsconfig.json', './report/page/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Typed arrays are indexed all over; reference tests stand in for the check.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // With indices taken as present, this rule would remove the checks of those that may not be.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
    },
  },
  {
    // What a room gives away has its types written out. Schemas are the exception: there the type follows from the value,
    // which is why `isolatedDeclarations` is off.
    files: Object.keys(rooms).map((room) => `${room}/**/*.ts`),
    ignores: ['serve/page/**', 'report/page/**'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'error' },
  },
  ...boundaries,
  {
    // The browser gets the page's own files alone: of all other rooms and files it may use types.
    files: ['serve/page/**/*.ts', 'report/page/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['../**'],
              allowTypeImports: true,
              message: 'A page may import types only: use import type.',
            },
          ],
        },
      ],
    },
  },
  {
    files: documentedRooms.map((room) => `${room}/**/*.ts`),
    plugins: { jsdoc },
    settings: { jsdoc: { mode: 'typescript' } },
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        {
          publicOnly: true,
          enableFixer: false,
          contexts: documented,
          require: { ClassDeclaration: true, FunctionDeclaration: true },
        },
      ],
      'jsdoc/no-types': 'error',
      'jsdoc/empty-tags': 'error',
    },
  },
  {
    // Answers over HTTP are looked at member by member.
    files: ['test/advise-*.test.ts', 'test/serve-*.test.ts', 'test/cli-serve.test.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: { globals: { console: 'readonly', performance: 'readonly', process: 'readonly' } },
  },
  prettier,
);
