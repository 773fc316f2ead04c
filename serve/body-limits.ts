// Limits of the size of request bodies.

/** Bytes: the limit of a route that does not set its own. */
export const SMALL_BODY: number = 64 * 1024;
/**
 * Bytes: the limit of requests with a table. The largest one has 200 vehicles and 500 shipments, hence 200 + 2 x 500 places: 2 x
 * 1,200 x 1,200 durations and distances of up to 10 characters each, comma included. 700 vehicles and shipments take about 1 MiB more.
 */
export const LARGE_BODY: number = 32 * 1024 * 1024;
