// The transition of engine/ in C, for the scenario `geneva` at any number of drivers and slots: what bench/env.ts measures the engine
// against. Random streams, demand, rewards, observations, masks, figures and the resets of SAME_STEP are the engine's to the last bit;
// test/bench-twins.test.ts compares them. It shares no code with the engine.
//
//   cc -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -o dispatch dispatch.c -lm
//   echo | ./dispatch TASK [DUMP]
//
// TASK is a file that bench/twins.ts writes: lines of a name and its numbers, the line `tape`, and the actions [steps, envs] as int32.
// Each line on stdin plays the tape once from a reset; the answer is a line of JSON with the seconds of its steps, and the CRC-32 of
// the last observations, rewards and returns. DUMP gets all outputs, after the reset and after each step of the first time.
//
// None of these flags changes a bit: they forbid fusing, and let the compiler vectorise roots and conversions.

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NEVER = 0x7fffffff, MINUTES = 1440, KPIS = 16, QUEUE = 8, PARTS = 8 };
enum { DRIVER_X, DRIVER_Y, DRIVER_AVAILABLE, DRIVER_LOAD, DRIVER_PLAN, DRIVER_FREE, DRIVER_DROPOFF, DRIVER_EMERGENCY };
enum { PICKUP_X, PICKUP_Y, PRIORITY, TIME_LEFT, PRESENT, DROPOFF_X, DROPOFF_Y, UNTIL_WINDOW, RIDE, LEG, AGE, FARE };
static const double PER_HOUR = 1.0 / 3600;

static void fail(const char *what, const char *about) {
  fprintf(stderr, "dispatch: %s: %s\n", what, about);
  exit(2);
}

// ---------------------------------------------------------------- the task

/** A level that holds all day but for parts of three numbers: from, to, level. The first part that holds a second decides. */
typedef struct {
  double base;
  int count;
  double part[PARTS][3];
} Profile;

typedef struct {
  int drivers, slots, queue, start, horizon, tick, tolerance;
  int full;
  double regular_share, speed, extent_x, extent_y, slowdown;
  Profile traffic, arrivals;
  int per_arrival[2], initial[2], priorities[2], urgent, urgent_window[2], window[2];
  double return_share, weights[5], wait, invalid, expiry, refusal;
  double seed;
  int envs, steps;
} Rules;

static double level_at(const Profile *p, int second) {
  int s = second % 86400;
  for (int k = 0; k < p->count; k++)
    if (s >= p->part[k][0] && s < p->part[k][1]) return p->part[k][2];
  return p->base;
}

static int numbers(char *text, double *into, int most) {
  int count = 0;
  for (char *end;; text = end) {
    double value = strtod(text, &end);
    if (end == text) return count;
    if (count == most) fail("too many numbers", text);
    into[count++] = value;
  }
}

static void read_profile(const double *v, int count, Profile *p) {
  p->base = v[0];
  p->count = (count - 1) / 3;
  memcpy(p->part, v + 1, (size_t)(3 * p->count) * sizeof *v);
}

/** The rules, and the actions [steps, envs]. */
static int32_t *read_task(const char *path, Rules *r) {
  FILE *file = fopen(path, "rb");
  if (!file) fail("cannot open", path);
  char line[4096];
  double v[1 + 3 * PARTS];
  memset(r, 0, sizeof *r);
  for (;;) {
    if (!fgets(line, sizeof line, file)) fail("no line \"tape\"", path);
    char *space = strpbrk(line, " \n");
    if (!space) fail("line too long", line);
    char *rest = space + (*space == ' ');
    *space = 0;
    if (!strcmp(line, "tape")) break;
    memset(v, 0, sizeof v);
    int count = numbers(rest, v, 1 + 3 * PARTS);
#define NUMBER(name, field) else if (!strcmp(line, name)) r->field = v[0]
#define RANGE(name, field) else if (!strcmp(line, name)) r->field[0] = (int)v[0], r->field[1] = (int)v[1]
    if (!strcmp(line, "traffic")) read_profile(v, count, &r->traffic);
    else if (!strcmp(line, "arrivalProbability")) read_profile(v, count, &r->arrivals);
    else if (!strcmp(line, "weights")) memcpy(r->weights, v, sizeof r->weights);
    NUMBER("drivers", drivers);
    NUMBER("slots", slots);
    NUMBER("queue", queue);
    NUMBER("startSecondOfDay", start);
    NUMBER("horizonSeconds", horizon);
    NUMBER("tickSeconds", tick);
    NUMBER("lateToleranceSeconds", tolerance);
    NUMBER("full", full);
    NUMBER("regularShare", regular_share);
    NUMBER("metresPerSecond", speed);
    NUMBER("extentX", extent_x);
    NUMBER("extentY", extent_y);
    NUMBER("trafficSlowdown", slowdown);
    RANGE("bookingsPerArrival", per_arrival);
    RANGE("initialBookings", initial);
    RANGE("priorities", priorities);
    NUMBER("urgentPriority", urgent);
    RANGE("urgentWindowMinutes", urgent_window);
    RANGE("windowMinutes", window);
    NUMBER("returnShare", return_share);
    NUMBER("waitRewardPerOpen", wait);
    NUMBER("invalidActionReward", invalid);
    NUMBER("expiryRewardPerPriority", expiry);
    NUMBER("refusalRewardPerPriority", refusal);
    NUMBER("seed", seed);
    NUMBER("envs", envs);
    NUMBER("steps", steps);
    else fail("unknown name", line);
  }
  if (r->queue < 1 || r->queue > QUEUE) fail("queue out of range", path);
  size_t count = (size_t)r->steps * (size_t)r->envs;
  int32_t *tape = malloc(count * sizeof *tape);
  if (!tape || fread(tape, sizeof *tape, count, file) != count) fail("tape too short", path);
  fclose(file);
  return tape;
}

// ---------------------------------------------------------------- random numbers

static inline uint32_t mix(uint32_t h) {
  h = (h ^ h >> 16) * 0x85ebca6bu;
  h = (h ^ h >> 13) * 0xc2b2ae35u;
  return h ^ h >> 16;
}

/** The next number in [0, 1), a multiple of 2^-32 (sfc32). */
static inline double next_float(uint32_t *s) {
  uint32_t t = s[0] + s[1] + s[3]++;
  s[0] = s[1] ^ s[1] >> 9;
  s[1] = s[2] + (s[2] << 3);
  s[2] = (s[2] << 21 | s[2] >> 11) + t;
  return t * 2.3283064365386963e-10;
}

static inline int next_integer(uint32_t *s, const int *range) {
  return range[0] + (int)(next_float(s) * (range[1] - range[0] + 1));
}

/** The stream of demand of one episode. */
static void seed_stream(uint32_t *s, double seed, uint32_t env, uint32_t episode) {
  uint32_t low = (uint32_t)(uint64_t)seed, high = (uint32_t)((uint64_t)seed >> 32);
  uint32_t h = mix(low ^ 0x9e3779b9u);
  h = mix(h + high);
  h = mix(h ^ (env + 1) * 0x9e3779b1u);
  h = mix(h ^ (episode + 1) * 0x85ebca77u);
  h = mix(h ^ 0xc2b2ae3du);
  s[0] = h;
  s[1] = mix(h ^ low ^ env * 0x27d4eb2fu);
  s[2] = mix(h + episode * 0x165667b1u);
  s[3] = 1;
  for (int k = 0; k < 12; k++) next_float(s);
}

/**
 * The natural logarithm of a normal number, by the method and coefficients of fdlibm 5.3 (e_log.c): that of libm may round otherwise.
 * Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and distribute this software is
 * freely granted, provided that this notice is preserved.
 */
static double natural_log(double x) {
  static const double LN2_HIGH = 6.9314718036912381649e-1, LN2_LOW = 1.90821492927058770002e-10;
  int64_t bits;
  memcpy(&bits, &x, sizeof bits);
  int32_t word = (int32_t)(bits >> 32), mantissa = word & 0xfffff, up = (mantissa + 0x95f64) & 0x100000;
  int k = (word >> 20) - 1023 + (up >> 20);
  bits = (bits & 0xfffffffffffff) | (int64_t)(up ^ 0x3ff00000) << 32;
  memcpy(&x, &bits, sizeof x);
  double f = x - 1;
  if (((mantissa + 2) & 0xfffff) < 3) {
    if (f == 0) return k * LN2_HIGH + k * LN2_LOW;
    double r = f * f * (0.5 - 0.3333333333333333 * f);
    return k == 0 ? f - r : k * LN2_HIGH - (r - k * LN2_LOW - f);
  }
  double s = f / (2 + f), z = s * s, w = z * z;
  double even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  double odd = z * (6.66666666666673513e-1 + w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  double r = odd + even;
  if (((mantissa - 0x6147a) | (0x6b851 - mantissa)) > 0) {
    double half = 0.5 * f * f;
    return k == 0 ? f - (half - s * (half + r)) : k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f);
  }
  return k == 0 ? f - s * (f - r) : k * LN2_HIGH - (s * (f - r) - k * LN2_LOW - f);
}

// ---------------------------------------------------------------- memory

/** What an environment has one of. Its arrays follow it in memory, so that a step stays within a few pages. */
typedef struct {
  double load_squares, episode_return, lateness, wait, approach_metres, ride_metres, busy;
  uint32_t stream[4];
  int32_t episode, tick, now, steps, open;
  int32_t created, assigned, picked_up, completed, expired, refused, on_time, invalid, load_sum;
} Head;

typedef struct {
  double ride_metres, ride_seconds;
  float dropoff_x, dropoff_y;
  int32_t known, start, end;
  uint8_t priority, leg;
} Booking;

typedef struct {
  int32_t pickup_at[QUEUE], dropoff_at[QUEUE];
  uint8_t first, on_board;
} Plan;

/** The arrays of one environment: of drivers [N], of slots [M], of pairs [N, M]. */
typedef struct {
  Head *head;
  float *end_x, *end_y;
  int32_t *free_at, *next_event, *length, *load;
  Plan *plan;
  uint64_t *open_bits, *fresh_bits;
  float *pickup_x, *pickup_y;
  /** Last second of a pickup, and before all time in an empty slot. */
  int32_t *latest;
  Booking *booking;
  /** Free-flow seconds from the end of a driver's plan to a pickup. */
  float *approach;
} Env;

typedef struct {
  Rules r;
  int actions, words, driver_columns, booking_columns, bookings_at, context_at, size, ticks;
  double scale_x, scale_y;
  double factor[MINUTES];
  double *traffic, *day, *arrival;
  uint8_t *emergency;
  size_t stride, at[15];
  char *state;
  float *observations, *final_observations, *rewards;
  uint8_t *masks, *final_masks, *terminations, *truncations, *invalid;
  double *returns, *kpis;
  int32_t *lengths;
} World;

static void *zeroed(size_t bytes) {
  void *memory = calloc(bytes + 64, 1);
  if (!memory) fail("out of memory", "");
  return (void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
}

static void set_up(World *w) {
  const Rules *r = &w->r;
  size_t n = (size_t)r->envs, N = (size_t)r->drivers, M = (size_t)r->slots;
  w->actions = r->drivers * r->slots + 1;
  w->words = (r->slots + 63) / 64;
  w->driver_columns = r->full ? 8 : 4;
  w->booking_columns = r->full ? 12 : 4;
  w->bookings_at = r->drivers * w->driver_columns;
  w->context_at = w->bookings_at + r->slots * w->booking_columns;
  w->size = w->context_at + (r->full ? 5 : 2);
  w->ticks = r->horizon / r->tick;
  w->scale_x = 1 / r->extent_x;
  w->scale_y = 1 / r->extent_y;
  for (int m = 0; m < MINUTES; m++) w->factor[m] = 1 / (1 - r->slowdown * level_at(&r->traffic, m * 60));
  w->traffic = zeroed((size_t)(w->ticks + 1) * sizeof(double));
  w->day = zeroed((size_t)(w->ticks + 1) * sizeof(double));
  w->arrival = zeroed((size_t)(w->ticks + 1) * sizeof(double));
  for (int t = 0; t <= w->ticks; t++) {
    int second = r->start + t * r->tick;
    w->traffic[t] = level_at(&r->traffic, second);
    w->day[t] = (second % 86400) / 86400.0;
    w->arrival[t] = level_at(&r->arrivals, second);
  }
  w->emergency = zeroed(N);
  for (int i = 0; i < r->drivers; i++) w->emergency[i] = i >= floor(r->drivers * r->regular_share);

  size_t bytes[15] = {sizeof(Head), 4 * N, 4 * N, 4 * N, 4 * N, 4 * N, 4 * N, N * sizeof(Plan), 8 * (size_t)w->words,
                      8 * (size_t)w->words, 4 * M, 4 * M, 4 * M, M * sizeof(Booking), 4 * N * M};
  size_t offset = 0;
  for (int k = 0; k < 15; k++) {
    w->at[k] = offset;
    offset = (offset + bytes[k] + 15) & ~(size_t)15;
  }
  // An odd number of cache lines, so that environments do not compete for the same sets.
  w->stride = ((offset + 63) / 64 | 1) * 64;
  w->state = zeroed(n * w->stride);
  w->observations = zeroed(n * (size_t)w->size * 4);
  w->final_observations = zeroed(n * (size_t)w->size * 4);
  w->masks = zeroed(n * (size_t)w->actions);
  w->final_masks = zeroed(n * (size_t)w->actions);
  w->rewards = zeroed(n * 4);
  w->terminations = zeroed(n);
  w->truncations = zeroed(n);
  w->invalid = zeroed(n);
  w->returns = zeroed(n * 8);
  w->lengths = zeroed(n * 4);
  w->kpis = zeroed(n * KPIS * 8);
}

static inline Env env_of(const World *w, int e) {
  char *p = w->state + (size_t)e * w->stride;
  const size_t *at = w->at;
  return (Env){(Head *)p,
               (float *)(p + at[1]),
               (float *)(p + at[2]),
               (int32_t *)(p + at[3]),
               (int32_t *)(p + at[4]),
               (int32_t *)(p + at[5]),
               (int32_t *)(p + at[6]),
               (Plan *)(p + at[7]),
               (uint64_t *)(p + at[8]),
               (uint64_t *)(p + at[9]),
               (float *)(p + at[10]),
               (float *)(p + at[11]),
               (int32_t *)(p + at[12]),
               (Booking *)(p + at[13]),
               (float *)(p + at[14])};
}

static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

static inline double factor_at(const World *w, int32_t second) {
  return w->factor[(unsigned)(w->r.start + second) / 60 % MINUTES];
}

static inline int32_t travel(double seconds, double factor) { return (int32_t)(seconds * factor + 0.5); }

// ---------------------------------------------------------------- bookings

/**
 * A place in half extents. Not inlined: GCC 12 folds double -> float -> double away where it makes vectors of both coordinates, and with
 * it the rounding.
 */
static __attribute__((noinline)) float scaled(float place, double scale) { return (float)(place * scale); }

/** Takes the booking out of slot j: empty slots are all zeros. */
static inline void close_slot(const World *w, int e, Env v, int j) {
  v.open_bits[j >> 6] &= ~(UINT64_C(1) << (j & 63));
  v.fresh_bits[j >> 6] &= ~(UINT64_C(1) << (j & 63));
  v.latest[j] = INT32_MIN;
  v.head->open--;
  uint8_t *mask = w->masks + (size_t)e * (size_t)w->actions + 1 + j;
  for (int i = 0; i < w->r.drivers; i++) mask[i * w->r.slots] = 0;
  float *o = w->observations + (size_t)e * (size_t)w->size + w->bookings_at + j * w->booking_columns;
  for (int k = 0; k < w->booking_columns; k++) o[k] = 0;
}

/** Draws a booking that becomes known at `second`; returns the reward of a refusal, if all slots are taken. */
static double draw(const World *w, int e, Env v, int32_t second) {
  const Rules *r = &w->r;
  Head *h = v.head;
  double from_x = (2 * next_float(h->stream) - 1) * r->extent_x;
  double from_y = (2 * next_float(h->stream) - 1) * r->extent_y;
  double to_x = (2 * next_float(h->stream) - 1) * r->extent_x;
  double to_y = (2 * next_float(h->stream) - 1) * r->extent_y;
  int priority = next_integer(h->stream, r->priorities);
  int length = 60 * next_integer(h->stream, priority >= r->urgent ? r->urgent_window : r->window);
  int leg = next_float(h->stream) < r->return_share;
  h->created++;
  if (h->open >= r->slots) {
    h->refused++;
    return r->refusal * priority;
  }
  int word = 0;
  while (v.open_bits[word] == UINT64_MAX) word++;
  int j = word * 64 + __builtin_ctzll(~v.open_bits[word]);
  v.open_bits[word] |= UINT64_C(1) << (j & 63);
  v.fresh_bits[word] |= UINT64_C(1) << (j & 63);
  h->open++;
  double dx = to_x - from_x, dy = to_y - from_y, metres = sqrt(dx * dx + dy * dy);
  float x = (float)from_x, y = (float)from_y;
  int64_t latest = (int64_t)second + length + r->tolerance;
  v.pickup_x[j] = x;
  v.pickup_y[j] = y;
  v.latest[j] = latest < NEVER ? (int32_t)latest : NEVER;
  Booking *b = &v.booking[j];
  *b = (Booking){metres, metres / r->speed, (float)to_x, (float)to_y, second, second, second + length, (uint8_t)priority, (uint8_t)leg};
  for (int i = 0; i < r->drivers; i++) {
    double ax = (double)x - v.end_x[i], ay = (double)y - v.end_y[i];
    v.approach[i * r->slots + j] = (float)(sqrt(ax * ax + ay * ay) / r->speed);
  }
  float *o = w->observations + (size_t)e * (size_t)w->size + w->bookings_at + j * w->booking_columns;
  o[PICKUP_X] = scaled(x, w->scale_x);
  o[PICKUP_Y] = scaled(y, w->scale_y);
  o[PRIORITY] = (float)(priority / 5.0);
  if (r->full) {
    o[PRESENT] = 1;
    o[DROPOFF_X] = scaled(b->dropoff_x, w->scale_x);
    o[DROPOFF_Y] = scaled(b->dropoff_y, w->scale_y);
    o[RIDE] = (float)(b->ride_seconds * PER_HOUR);
    o[LEG] = (float)leg;
    o[FARE] = 0;
  }
  return 0;
}

/** Open bookings whose window ends by `until` expire; returns their reward. */
static inline double expire(const World *w, int e, Env v, int32_t until) {
  double reward = 0;
  for (int k = 0; k < w->words; k++)
    for (uint64_t bits = v.open_bits[k]; bits; bits &= bits - 1) {
      int j = k * 64 + __builtin_ctzll(bits);
      if (v.booking[j].end > until) continue;
      reward += w->r.expiry * v.booking[j].priority;
      v.head->expired++;
      close_slot(w, e, v, j);
    }
  return reward;
}

// ---------------------------------------------------------------- drivers

static double assignment_reward(const World *w, Env v, int i, int late, double metres, int seconds, int priority) {
  const double *weights = w->r.weights;
  double mean = (v.head->load_sum + 1) / (double)w->r.drivers;
  double variance = (v.head->load_squares + 2 * v.load[i] + 1) / w->r.drivers - mean * mean;
  double spread = sqrt(variance > 0 ? variance : 0);
  double punctuality = late <= 0 ? 100 : -fmin(200, late / 6.0);
  double km = metres / 1000;
  double distance = km < 5 ? 20 + 4 * (5 - km) : fmax(-50, -10 * natural_log(km));
  double equity = spread < 1 ? 100 : spread < 2 ? 50 : -10 * spread;
  double efficiency = seconds < 300 ? 70 : 50;
  double satisfaction = !w->emergency[i] ? 20 : priority < 4 ? -10 : 0;
  return weights[0] * punctuality + weights[1] * distance + weights[2] * equity + weights[3] * efficiency + weights[4] * satisfaction;
}

/** Appends the booking of slot j to driver i's plan, which is legal; returns the reward. */
static double assign(const World *w, int e, Env v, int i, int j) {
  const Rules *r = &w->r;
  Head *h = v.head;
  Plan *plan = &v.plan[i];
  const Booking *b = &v.booking[j];
  int32_t depart = v.free_at[i] > h->now ? v.free_at[i] : h->now;
  int32_t seconds = travel(v.approach[i * r->slots + j], factor_at(w, depart));
  int32_t pickup = depart + seconds > b->start ? depart + seconds : b->start;
  int32_t dropoff = pickup + travel(b->ride_seconds, factor_at(w, pickup));
  double dx = (double)v.pickup_x[j] - v.end_x[i], dy = (double)v.pickup_y[j] - v.end_y[i], metres = sqrt(dx * dx + dy * dy);
  int late = pickup - b->end;
  double reward = assignment_reward(w, v, i, late, metres, seconds, b->priority);

  int entry = (plan->first + v.length[i]) % r->queue;
  plan->pickup_at[entry] = pickup;
  plan->dropoff_at[entry] = dropoff;
  if (v.length[i]++ == 0) v.next_event[i] = pickup;
  v.free_at[i] = dropoff;
  float x = v.end_x[i] = b->dropoff_x;
  float y = v.end_y[i] = b->dropoff_y;
  h->load_sum++;
  h->load_squares += 2 * v.load[i] + 1;
  v.load[i]++;
  h->assigned++;
  if (late > 0) h->lateness += late;
  else h->on_time++;
  h->wait += pickup - b->known;
  h->approach_metres += metres;
  h->ride_metres += b->ride_metres;
  h->busy += least(dropoff, r->horizon) - least(depart, r->horizon);
  close_slot(w, e, v, j);
  float *row = v.approach + i * r->slots;
  for (int k = 0; k < r->slots; k++) {
    double ax = (double)v.pickup_x[k] - x, ay = (double)v.pickup_y[k] - y;
    row[k] = (float)(sqrt(ax * ax + ay * ay) / r->speed);
  }
  float *o = w->observations + (size_t)e * (size_t)w->size + i * w->driver_columns;
  o[DRIVER_X] = (float)(x * w->scale_x);
  o[DRIVER_Y] = (float)(y * w->scale_y);
  o[DRIVER_LOAD] = (float)(v.load[i] / 10.0);
  return reward;
}

/** Pickups and drop-offs of driver i up to `until`. */
static inline void serve(const World *w, Env v, int i, int32_t until) {
  Plan *plan = &v.plan[i];
  do {
    if (!plan->on_board) {
      v.head->assigned--;
      v.head->picked_up++;
      plan->on_board = 1;
      v.next_event[i] = plan->dropoff_at[plan->first];
    } else {
      v.head->picked_up--;
      v.head->completed++;
      plan->on_board = 0;
      plan->first = (uint8_t)((plan->first + 1) % w->r.queue);
      v.next_event[i] = --v.length[i] == 0 ? NEVER : plan->pickup_at[plan->first];
    }
  } while (v.next_event[i] <= until);
}

// ---------------------------------------------------------------- observations and masks

/** Row of the mask of a driver who may take a booking. Every slot at once: an empty one is never in time. */
static inline void mask_row(uint8_t *restrict mask, const float *restrict approach, const int32_t *restrict latest, int slots,
                            int32_t depart, double factor) {
  for (int j = 0; j < slots; j++) mask[j] = depart + (int32_t)(approach[j] * factor + 0.5) <= latest[j];
}

/** Lets drivers do what is due, and writes what the clock has changed. `all`: each row of the mask. `taken`: who has got a booking. */
static inline void refresh(const World *w, int e, Env v, int all, int taken) {
  const Rules *r = &w->r;
  const Head *h = v.head;
  int32_t now = h->now;
  int slots = r->slots;
  float *o = w->observations + (size_t)e * (size_t)w->size;
  float *bookings = o + w->bookings_at;
  uint64_t fresh = 0;
  for (int k = 0; k < w->words; k++) {
    fresh |= v.fresh_bits[k];
    for (uint64_t bits = v.open_bits[k]; bits; bits &= bits - 1) {
      int j = k * 64 + __builtin_ctzll(bits);
      const Booking *b = &v.booking[j];
      float *p = bookings + j * w->booking_columns;
      p[TIME_LEFT] = (float)((b->end - now) * PER_HOUR);
      if (r->full) {
        p[UNTIL_WINDOW] = b->start > now ? (float)((b->start - now) * PER_HOUR) : 0;
        p[AGE] = (float)((now - b->known) * PER_HOUR);
      }
    }
  }
  double factor_now = factor_at(w, now);
  uint8_t *mask = w->masks + (size_t)e * (size_t)w->actions + 1;
  const float *approach = v.approach;
  for (int i = 0; i < r->drivers; i++, mask += slots, approach += slots, o += w->driver_columns) {
    int changed = all | (i == taken);
    if (v.next_event[i] <= now) {
      serve(w, v, i, now);
      changed = 1;
    }
    int available = v.length[i] < r->queue;
    int32_t free_at = v.free_at[i];
    if (free_at <= now) {
      o[DRIVER_AVAILABLE] = 1;
      mask_row(mask, approach, v.latest, slots, now, factor_now);
    } else if (changed) {
      o[DRIVER_AVAILABLE] = (float)available;
      if (available) mask_row(mask, approach, v.latest, slots, free_at, factor_at(w, free_at));
      else memset(mask, 0, (size_t)slots);
    } else if (fresh && available) {
      double factor = factor_at(w, free_at);
      for (int k = 0; k < w->words; k++)
        for (uint64_t bits = v.fresh_bits[k]; bits; bits &= bits - 1) {
          int j = k * 64 + __builtin_ctzll(bits);
          mask[j] = free_at + (int32_t)(approach[j] * factor + 0.5) <= v.latest[j];
        }
    }
    if (r->full) {
      o[DRIVER_PLAN] = (float)(v.length[i] / (double)r->queue);
      o[DRIVER_FREE] = free_at > now ? (float)((free_at - now) * PER_HOUR) : 0;
      o[DRIVER_DROPOFF] = v.length[i] == 0 ? 0 : (float)((v.plan[i].dropoff_at[v.plan[i].first] - now) * PER_HOUR);
    }
  }
  for (int k = 0; k < w->words; k++) v.fresh_bits[k] = 0;
  float *context = bookings + slots * w->booking_columns;
  context[0] = (float)w->day[h->tick];
  context[1] = (float)w->traffic[h->tick];
  if (r->full) {
    context[2] = (float)(h->tick / (double)w->ticks);
    context[3] = (float)(h->open / (double)slots);
    context[4] = (float)(h->created / 100.0);
  }
}

// ---------------------------------------------------------------- episodes

static void reset(const World *w, int e, int32_t episode) {
  const Rules *r = &w->r;
  Env v = env_of(w, e);
  Head *h = v.head;
  memset(w->state + (size_t)e * w->stride, 0, w->stride);
  h->episode = episode;
  float *o = w->observations + (size_t)e * (size_t)w->size;
  memset(o, 0, (size_t)w->size * sizeof *o);
  memset(w->masks + (size_t)e * (size_t)w->actions, 0, (size_t)w->actions);
  w->masks[(size_t)e * (size_t)w->actions] = 1;
  for (int i = 0; i < r->drivers; i++) {
    v.next_event[i] = NEVER;
    if (r->full) o[i * w->driver_columns + DRIVER_EMERGENCY] = w->emergency[i];
  }
  for (int j = 0; j < r->slots; j++) v.latest[j] = INT32_MIN;
  seed_stream(h->stream, r->seed, (uint32_t)e, (uint32_t)episode);
  int count = next_integer(h->stream, r->initial);
  for (int k = 0; k < count; k++) draw(w, e, v, 0);
  refresh(w, e, v, 1, -1);
}

static double per(double value, double by) { return by == 0 ? 0 : value / by; }

static void finish(const World *w, int e) {
  const Rules *r = &w->r;
  Env v = env_of(w, e);
  const Head *h = v.head;
  int32_t accepted = h->assigned + h->picked_up + h->completed;
  double mean = h->load_sum / (double)r->drivers, variance = h->load_squares / r->drivers - mean * mean;
  double kpis[KPIS] = {h->created,
                       accepted,
                       h->completed,
                       h->expired,
                       h->refused,
                       h->open,
                       per(accepted, h->created),
                       per(h->on_time, accepted),
                       per(h->wait, accepted * 60.0),
                       per(h->lateness, accepted * 60.0),
                       per(h->approach_metres, accepted * 1000.0),
                       per(h->approach_metres, h->approach_metres + h->ride_metres),
                       per(h->busy, (double)r->drivers * r->horizon),
                       sqrt(variance > 0 ? variance : 0),
                       h->invalid,
                       h->steps};
  memcpy(w->kpis + (size_t)e * KPIS, kpis, sizeof kpis);
  w->returns[e] = h->episode_return;
  w->lengths[e] = h->steps;
  size_t size = (size_t)w->size, actions = (size_t)w->actions;
  memcpy(w->final_observations + (size_t)e * size, w->observations + (size_t)e * size, size * sizeof(float));
  memcpy(w->final_masks + (size_t)e * actions, w->masks + (size_t)e * actions, actions);
  reset(w, e, h->episode + 1);
}

/** One decision in environment e, which ends its tick. */
static inline void step(const World *w, int e, int32_t action) {
  const Rules *r = &w->r;
  Env v = env_of(w, e);
  Head *h = v.head;
  double earned;
  int taken = -1;
  int invalid = 0;
  h->steps++;
  if (action == 0) {
    earned = 0 + r->wait * h->open;
  } else if (action > 0 && action < w->actions && w->masks[(size_t)e * (size_t)w->actions + (size_t)action]) {
    taken = (action - 1) / r->slots;
    earned = assign(w, e, v, taken, (action - 1) % r->slots);
  } else {
    earned = r->invalid + (0 + r->wait * h->open);
    h->invalid++;
    invalid = 1;
  }
  double lost = 0;
  if (next_float(h->stream) < w->arrival[h->tick]) {
    int32_t second = h->now + 1 + (int32_t)(next_float(h->stream) * r->tick);
    int count = next_integer(h->stream, r->per_arrival);
    lost += expire(w, e, v, second);
    for (int k = 0; k < count; k++) lost += draw(w, e, v, second);
  }
  h->now += r->tick;
  lost += expire(w, e, v, h->now);
  h->tick++;
  refresh(w, e, v, 0, taken);
  double reward = earned + lost;
  h->episode_return += reward;
  w->rewards[e] = (float)reward;
  w->invalid[e] = (uint8_t)invalid;
  w->terminations[e] = 0;
  w->truncations[e] = h->tick >= w->ticks;
  if (h->tick >= w->ticks) finish(w, e);
}

// ---------------------------------------------------------------- program

static void dump(const World *w, FILE *file) {
  size_t n = (size_t)w->r.envs;
  fwrite(w->observations, 4, n * (size_t)w->size, file);
  fwrite(w->masks, 1, n * (size_t)w->actions, file);
  fwrite(w->rewards, 4, n, file);
  fwrite(w->terminations, 1, n, file);
  fwrite(w->truncations, 1, n, file);
  fwrite(w->invalid, 1, n, file);
  fwrite(w->final_observations, 4, n * (size_t)w->size, file);
  fwrite(w->final_masks, 1, n * (size_t)w->actions, file);
  fwrite(w->returns, 8, n, file);
  fwrite(w->lengths, 4, n, file);
  fwrite(w->kpis, 8, n * KPIS, file);
}

/** CRC-32, going on from `crc`. */
static uint32_t crc32(uint32_t crc, const void *data, size_t bytes) {
  static uint32_t table[256];
  for (uint32_t k = 0; k < 256; k++) {
    table[k] = k;
    for (int bit = 0; bit < 8; bit++) table[k] = table[k] >> 1 ^ (table[k] & 1 ? 0xedb88320u : 0);
  }
  crc = ~crc;
  for (const uint8_t *p = data, *end = p + bytes; p < end; p++) crc = crc >> 8 ^ table[(crc ^ *p) & 255];
  return ~crc;
}

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 2) fail("usage", "dispatch TASK [DUMP]");
  static World world;
  World *w = &world;
  const int32_t *tape = read_task(argv[1], &w->r);
  set_up(w);
  int n = w->r.envs, steps = w->r.steps;
  FILE *file = argc > 2 ? fopen(argv[2], "wb") : NULL;
  if (argc > 2 && !file) fail("cannot open", argv[2]);
  char line[256];
  while (fgets(line, sizeof line, stdin)) {
    memset(w->rewards, 0, (size_t)n * 4);
    memset(w->truncations, 0, (size_t)n);
    memset(w->invalid, 0, (size_t)n);
    for (int e = 0; e < n; e++) reset(w, e, 0);
    if (file) dump(w, file);
    double started = seconds_now();
    for (int t = 0; t < steps; t++) {
      const int32_t *actions = tape + (size_t)t * (size_t)n;
      for (int e = 0; e < n; e++) step(w, e, actions[e]);
      if (file) dump(w, file);
    }
    double seconds = seconds_now() - started;
    if (file) fclose(file);
    file = NULL;
    uint32_t crc = crc32(0, w->observations, (size_t)n * (size_t)w->size * 4);
    crc = crc32(crc, w->rewards, (size_t)n * 4);
    crc = crc32(crc, w->returns, (size_t)n * 8);
    printf("{\"seconds\": %.9f, \"checksum\": %u}\n", seconds, crc);
    fflush(stdout);
  }
  return 0;
}
