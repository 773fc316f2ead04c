// How large bodies may be.

/** Bytes of a body, where a route does not say otherwise. */
export const SMALL_BODY: number = 64 * 1024;
/**
 * Bytes of a request with the largest table that is documented, and room for the rest: 200 vehicles and 500 shipments need up to
 * 200 + 2 x 500 places, whose durations and distances, from 0 to 1,000,000 and now and then with a decimal, take up to 9 and
 * a comma each. The rest, 700 vehicles and shipments, is about one mebibyte.
 */
export const LARGE_BODY: number = 32 * 1024 * 1024;
