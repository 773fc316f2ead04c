// The types of requests and answers follow from their schemas. `npm run types` checks this file; running it checks little more
// than that the schemas have the members that the types have.

import { describe, expectTypeOf, it, expect } from 'vitest';
import { answerProps, requestProps } from '#advise/index.js';
import type { Alternative, Answer, Assignment, Id, ObjectOf, RecommendRequest, ShipmentInput } from '#advise/index.js';
import { id, list, nullable, number, object, oneOf, optional, whole } from '#advise/rules.js';

describe('a type that follows from its schema', () => {
  it('has exactly the members of the schema', () => {
    const props = {
      a: whole,
      b: optional(nullable(oneOf(['x', 'y']))),
      c: list(object({ d: id, e: optional(number()) })),
    };
    expectTypeOf<ObjectOf<typeof props>>().toEqualTypeOf<{
      readonly a: number;
      readonly b?: 'x' | 'y' | null;
      readonly c: readonly { readonly d: Id; readonly e?: number }[];
    }>();
    expect(Object.keys(props)).toEqual(['a', 'b', 'c']);
  });

  it('changes when a member of the schema is renamed', () => {
    const before = { shipment: id };
    const after = { booking: id };
    expectTypeOf<ObjectOf<typeof after>>().not.toEqualTypeOf<ObjectOf<typeof before>>();
    expectTypeOf<ObjectOf<typeof after>>().not.toHaveProperty('shipment');
    expect(Object.keys(after)).not.toEqual(Object.keys(before));
  });

  it('is known down to its leaves', () => {
    expectTypeOf<Alternative>().toEqualTypeOf<{
      readonly vehicle: Id;
      readonly pickup_eta: number;
      readonly lateness: number;
      readonly approach_distance: number;
      readonly score: number;
      readonly extra_wait: number;
      readonly extra_lateness: number;
      readonly extra_distance: number;
    }>();
    expectTypeOf<Answer['mode']>().toEqualTypeOf<'shadow' | 'recommend' | 'auto'>();
    expectTypeOf<Assignment['confidence']>().toEqualTypeOf<number | null>();
    expectTypeOf<Answer['provenance']['fallback']>().toEqualTypeOf<{
      readonly policy: string;
      readonly reason: 'deadline' | 'out_of_distribution' | 'objective' | 'failed';
    } | null>();
    expectTypeOf<NonNullable<ShipmentInput['pickup']['time_windows']>[number]>().toEqualTypeOf<
      readonly [number, number]
    >();
    expectTypeOf<RecommendRequest['shipments']>().toEqualTypeOf<readonly unknown[]>();
    expectTypeOf<NonNullable<RecommendRequest['matrices']>[string]['durations']>().toEqualTypeOf<
      readonly (readonly (number | null)[])[]
    >();
  });

  it('has the members that the schema has at run time', () => {
    const answered: Record<keyof Answer, true> = {
      as_of: true,
      mode: true,
      assignments: true,
      waiting: true,
      unassigned: true,
      locked: true,
      violations: true,
      notices: true,
      provenance: true,
    };
    expect(Object.keys(answerProps).sort()).toEqual(Object.keys(answered).sort());
    const asked: Record<keyof RecommendRequest, true> = {
      as_of: true,
      time_zone: true,
      mode: true,
      policy: true,
      deadline_ms: true,
      explain: true,
      seed: true,
      options: true,
      vehicles: true,
      shipments: true,
      matrices: true,
      matrices_by_time: true,
    };
    expect(Object.keys(requestProps).sort()).toEqual(Object.keys(asked).sort());
  });
});
