"""The transition of engine/ in NumPy, vectorised over environments, for the scenario `geneva` at any number of drivers and slots: what
bench/env.ts measures the engine against. Outputs are the engine's to the last bit; test/bench-twins.test.ts compares them.

    echo | python dispatch_numpy.py TASK [DUMP]

TASK, DUMP and the answers are as in dispatch.c. All environments start and end their episodes together, so the clock is one number.
Nothing is fused: each addition and each multiplication is rounded by itself, and the logarithm is the engine's own.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NEVER = 2**31 - 1
EMPTY = -(2**31)
MINUTES = 1440
PER_HOUR = 1 / 3600
KPIS = 16
# Pairs of a driver and a slot that are looked at together: their numbers stay in the cache.
BLOCK = 32_768

DRIVER_X, DRIVER_Y, AVAILABLE, LOAD, PLAN, UNTIL_FREE, UNTIL_DROPOFF, EMERGENCY = range(8)
PICKUP_X, PICKUP_Y, PRIORITY, TIME_LEFT, PRESENT, DROPOFF_X, DROPOFF_Y, UNTIL_WINDOW, RIDE, LEG, AGE, FARE = range(12)


# ---------------------------------------------------------------- the task


def level_at(profile: list[float], second: int) -> float:
    """A profile is a base, and parts of three numbers: from, to, level."""
    s = second % 86400
    for p in range(1, len(profile), 3):
        if profile[p] <= s < profile[p + 1]:
            return profile[p + 2]
    return profile[0]


@dataclass
class Rules:
    """A scenario's numbers under the names that a task gives them, and the tables that follow from them."""

    numbers: dict[str, list[float]]

    def __post_init__(self) -> None:
        def one(name: str) -> float:
            return self.numbers[name][0]

        def pair(name: str) -> tuple[int, int]:
            low, high = self.numbers[name]
            return int(low), int(high)

        self.drivers, self.slots, self.queue = int(one("drivers")), int(one("slots")), int(one("queue"))
        self.start, self.horizon, self.tick = (
            int(one("startSecondOfDay")),
            int(one("horizonSeconds")),
            int(one("tickSeconds")),
        )
        self.tolerance = int(one("lateToleranceSeconds"))
        self.speed, self.extent_x, self.extent_y = one("metresPerSecond"), one("extentX"), one("extentY")
        self.scale_x, self.scale_y = 1 / self.extent_x, 1 / self.extent_y
        self.per_arrival, self.initial = pair("bookingsPerArrival"), pair("initialBookings")
        self.priorities, self.urgent = pair("priorities"), one("urgentPriority")
        self.urgent_window, self.window = pair("urgentWindowMinutes"), pair("windowMinutes")
        self.return_share = one("returnShare")
        self.weights = self.numbers["weights"]
        self.wait, self.invalid = one("waitRewardPerOpen"), one("invalidActionReward")
        self.expiry, self.refusal = one("expiryRewardPerPriority"), one("refusalRewardPerPriority")
        self.actions = self.drivers * self.slots + 1
        self.ticks = self.horizon // self.tick
        regular = int(self.drivers * one("regularShare"))
        self.emergency = np.arange(self.drivers) >= regular
        seconds = [self.start + t * self.tick for t in range(self.ticks + 1)]
        traffic, arrivals, slowdown = self.numbers["traffic"], self.numbers["arrivalProbability"], one("trafficSlowdown")
        self.factor = np.array([1 / (1 - slowdown * level_at(traffic, m * 60)) for m in range(MINUTES)])
        self.traffic = [level_at(traffic, s) for s in seconds]
        self.day = [(s % 86400) / 86400 for s in seconds]
        self.arrival = [level_at(arrivals, s) for s in seconds]

    def columns(self, full: bool) -> tuple[int, int, int]:
        """Columns of a driver, of a booking, and of the context."""
        return (8, 12, 5) if full else (4, 4, 2)

    def size(self, full: bool) -> int:
        """Numbers of an observation."""
        driver, booking, context = self.columns(full)
        return driver * self.drivers + booking * self.slots + context


def parse(text: str) -> dict[str, list[float]]:
    """Lines of a name and its numbers."""
    return {name: [float(v) for v in values] for name, *values in (line.split() for line in text.splitlines())}


def read_task(path: str) -> tuple[Rules, bool, int, np.ndarray]:
    """Rules, whether observations are of kind `full`, seed, and the actions [steps, envs]."""
    head, _, tape = Path(path).read_bytes().partition(b"\ntape\n")
    numbers = parse(head.decode())
    steps, envs = int(numbers["steps"][0]), int(numbers["envs"][0])
    actions = np.frombuffer(tape, np.int32, steps * envs).reshape(steps, envs)
    return Rules(numbers), numbers["full"][0] == 1, int(numbers["seed"][0]), actions


# ---------------------------------------------------------------- numbers


def mix(h: np.ndarray) -> np.ndarray:
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def seed_streams(seed: int, envs: np.ndarray, episode: int) -> np.ndarray:
    """Streams of demand [4, envs]."""
    low, high = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)
    env = envs.astype(np.uint32)
    h = np.full(len(env), low ^ np.uint32(0x9E3779B9), np.uint32)
    h = mix(mix(h) + high)
    h = mix(h ^ (env + np.uint32(1)) * np.uint32(0x9E3779B1))
    h = mix(h ^ np.uint32((episode + 1) * 0x85EBCA77 & 0xFFFFFFFF))
    h = mix(h ^ np.uint32(0xC2B2AE3D))
    streams = np.empty((4, len(env)), np.uint32)
    streams[0] = h
    streams[1] = mix(h ^ low ^ env * np.uint32(0x27D4EB2F))
    streams[2] = mix(h + np.uint32(episode * 0x165667B1 & 0xFFFFFFFF))
    streams[3] = 1
    for _ in range(12):
        advance(streams)
    return streams


def advance(streams: np.ndarray) -> np.ndarray:
    """The next number in [0, 1) of each stream (sfc32)."""
    a, b, c, d = streams
    t = a + b + d
    np.bitwise_xor(b, b >> 9, out=a)
    np.add(c, c << 3, out=b)
    np.add((c << 21) | (c >> 11), t, out=c)
    d += np.uint32(1)
    return t * 2.3283064365386963e-10


def integers(floats: np.ndarray, low: np.ndarray | int, high: np.ndarray | int) -> np.ndarray:
    """Both ends inclusive."""
    return low + (floats * (high - low + 1)).astype(np.int32)


LN2_HIGH = 6.9314718036912381649e-1
LN2_LOW = 1.90821492927058770002e-10


def natural_log(x: np.ndarray) -> np.ndarray:
    """By the method and coefficients of fdlibm 5.3 (e_log.c): NumPy's own may round otherwise.

    Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify, and distribute this software is
    freely granted, provided that this notice is preserved.
    """
    bits = x.view(np.int64)
    word = bits >> 32
    mantissa = word & 0xFFFFF
    up = (mantissa + 0x95F64) & 0x100000
    k = (word >> 20) - 1023 + (up >> 20)
    f = ((bits & 0xFFFFFFFFFFFFF) | ((up ^ 0x3FF00000) << 32)).view(np.float64) - 1
    high, low = k * LN2_HIGH, k * LN2_LOW
    s = f / (2 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1))
    odd = z * (
        6.66666666666673513e-1
        + w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1))
    )
    r = odd + even
    half = 0.5 * f * f
    far = np.where(k == 0, f - (half - s * (half + r)), high - (half - (s * (half + r) + low) - f))
    near = np.where(k == 0, f - s * (f - r), high - (s * (f - r) - low - f))
    cube = f * f * (0.5 - 0.3333333333333333 * f)
    close = np.where(k == 0, f - cube, high - (cube - low - f))
    result = np.where(((mantissa - 0x6147A) | (0x6B851 - mantissa)) > 0, far, near)
    return np.where(((mantissa + 2) & 0xFFFFF) < 3, np.where(f == 0, high + low, close), result)


# ---------------------------------------------------------------- environments


class VectorDispatch:
    """`envs` environments under SAME_STEP. Arrays are [envs, ...]; those without an underscore are rewritten by each step."""

    def __init__(self, rules: Rules, envs: int, full: bool) -> None:
        n, N, M, Q = envs, rules.drivers, rules.slots, rules.queue
        self.rules, self.envs, self.full = rules, envs, full
        size = rules.size(full)
        driver_columns, booking_columns, _ = rules.columns(full)
        self.observations = np.zeros((n, size), np.float32)
        self.masks = np.zeros((n, rules.actions), np.uint8)
        self.rewards = np.zeros(n, np.float32)
        self.terminations = np.zeros(n, np.uint8)
        self.truncations = np.zeros(n, np.uint8)
        self.invalid = np.zeros(n, np.uint8)
        self.final_observations = np.zeros_like(self.observations)
        self.final_masks = np.zeros_like(self.masks)
        self.returns = np.zeros(n)
        self.lengths = np.zeros(n, np.int32)
        self.kpis = np.zeros((n, KPIS))

        # Views of rows by driver and by booking.
        bookings_at, context_at = N * driver_columns, N * driver_columns + M * booking_columns
        self._of_drivers = view(self.observations, 0, (n, N, driver_columns))
        self._of_bookings = view(self.observations, bookings_at, (n, M, booking_columns))
        self._context = self.observations[:, context_at:]
        self._pair_masks = view(self.masks.view(np.bool_), 1, (n, N, M))

        self._rows = np.arange(n)
        self._sums = {
            name: np.zeros(n)
            for name in ("return", "late", "wait", "approach", "ride", "busy", "load_squares")
        }
        self._counts = {
            name: np.zeros(n, np.int64)
            for name in ("created", "picked", "completed", "accepted", "expired", "refused", "on_time", "invalid")
        }
        self._end_x, self._end_y = np.zeros((n, N), np.float32), np.zeros((n, N), np.float32)
        self._free_at, self._next_event = np.zeros((n, N), np.int32), np.zeros((n, N), np.int32)
        self._first, self._length = np.zeros((n, N), np.int32), np.zeros((n, N), np.int32)
        self._load, self._on_board = np.zeros((n, N), np.int32), np.zeros((n, N), np.bool_)
        self._pickup_at, self._dropoff_at = np.zeros((n, N, Q), np.int32), np.zeros((n, N, Q), np.int32)
        self._open, self._open_count = np.zeros((n, M), np.bool_), np.zeros(n, np.int32)
        self._pickup_x, self._pickup_y = np.zeros((n, M), np.float32), np.zeros((n, M), np.float32)
        self._dropoff_x, self._dropoff_y = np.zeros((n, M), np.float32), np.zeros((n, M), np.float32)
        self._known, self._window_end = np.zeros((n, M), np.int32), np.zeros((n, M), np.int32)
        # Last second of a pickup; before all time in an empty slot.
        self._latest = np.zeros((n, M), np.int32)
        self._priority = np.zeros((n, M), np.int32)
        self._ride_metres, self._ride_seconds = np.zeros((n, M)), np.zeros((n, M))
        # Free-flow seconds from the end of a driver's plan to a pickup.
        self._approach = np.zeros((n, N, M), np.float32)
        self._block = max(1, BLOCK // (N * M))
        block = min(n, self._block)
        self._seconds, self._arrivals = np.empty((block, N, M)), np.empty((block, N, M), np.int32)

    # ---------------------------------------------------------------- episodes

    def reset(self, seed: int) -> None:
        self._seed = seed
        self.rewards[:] = 0
        self.truncations[:] = self.invalid[:] = 0
        self._start(0)

    def _start(self, episode: int) -> None:
        r = self.rules
        self._episode, self._now, self._tick, self._steps = episode, 0, 0, 0
        for values in (*self._sums.values(), *self._counts.values()):
            values[:] = 0
        for values in (self._end_x, self._end_y, self._free_at, self._first, self._length, self._load, self._on_board):
            values[:] = 0
        self._next_event[:] = NEVER
        self._open[:] = False
        self._open_count[:] = 0
        self._latest[:] = EMPTY
        self.observations[:] = 0
        self.masks[:, 0] = 1
        if self.full:
            self._of_drivers[:, :, EMERGENCY] = r.emergency
        self._streams = seed_streams(self._seed, self._rows, episode)
        count = integers(advance(self._streams), *r.initial)
        lost = np.zeros(self.envs)
        self._draw_all(self._rows, count, np.zeros(self.envs, np.int32), lost)
        self._observe()

    def _finish(self) -> None:
        """Figures of the episodes that have ended, and what they ended on."""
        r, c, s = self.rules, self._counts, self._sums
        accepted = c["accepted"]
        mean = accepted / r.drivers

        def per(value: np.ndarray, by: np.ndarray | int) -> np.ndarray:
            return np.divide(value, by, out=np.zeros(self.envs), where=np.not_equal(by, 0))

        figures = (
            c["created"],
            accepted,
            c["completed"],
            c["expired"],
            c["refused"],
            self._open_count,
            per(accepted, c["created"]),
            per(c["on_time"], accepted),
            per(s["wait"], accepted * 60),
            per(s["late"], accepted * 60),
            per(s["approach"], accepted * 1000),
            per(s["approach"], s["approach"] + s["ride"]),
            per(s["busy"], r.drivers * r.horizon),
            np.sqrt(np.maximum(0, s["load_squares"] / r.drivers - mean * mean)),
            c["invalid"],
            self._steps,
        )
        for k, values in enumerate(figures):
            self.kpis[:, k] = values
        self.returns[:] = s["return"]
        self.lengths[:] = self._steps
        self.final_observations[:] = self.observations
        self.final_masks[:] = self.masks
        self._start(self._episode + 1)

    def step(self, actions: np.ndarray) -> None:
        r = self.rules
        self._steps += 1
        inside = (actions > 0) & (actions < r.actions)
        legal = self.masks[self._rows, np.where(inside, actions, 0)].view(np.bool_) & inside
        invalid = (actions != 0) & ~legal
        reward = 0 + r.wait * self._open_count
        reward[invalid] += r.invalid
        self.invalid[:] = invalid
        self._counts["invalid"] += invalid
        e = np.flatnonzero(legal)
        if e.size:
            i, j = np.divmod(actions[e] - 1, r.slots)
            reward[e] = self._assign(e, i, j)
        lost = np.zeros(self.envs)
        self._arrive(lost)
        self._now += r.tick
        self._expire(self._rows, self._now, lost)
        self._serve()
        self._tick += 1
        self._observe()
        reward += lost
        self._sums["return"] += reward
        self.rewards[:] = reward
        ended = self._tick >= r.ticks
        self.truncations[:] = ended
        if ended:
            self._finish()

    # ---------------------------------------------------------------- bookings

    def _draw(self, e: np.ndarray) -> np.ndarray:
        """The next number of the streams of environments e."""
        streams = self._streams[:, e]
        floats = advance(streams)
        self._streams[:, e] = streams
        return floats

    def _arrive(self, lost: np.ndarray) -> None:
        r = self.rules
        e = np.flatnonzero(advance(self._streams) < r.arrival[self._tick])
        if not e.size:
            return
        second = self._now + 1 + (self._draw(e) * r.tick).astype(np.int32)
        count = integers(self._draw(e), *r.per_arrival)
        self._expire(e, second[:, None], lost)
        self._draw_all(e, count, second, lost)

    def _draw_all(self, e: np.ndarray, count: np.ndarray, second: np.ndarray, lost: np.ndarray) -> None:
        """Draws `count` bookings in each of environments e."""
        for k in range(count.max()):
            more = count > k
            self._draw_one(e[more], second[more], lost)

    def _draw_one(self, e: np.ndarray, second: np.ndarray, lost: np.ndarray) -> None:
        """Draws a booking that becomes known at `second` in each of environments e."""
        r = self.rules
        streams = self._streams[:, e]
        from_x = (2 * advance(streams) - 1) * r.extent_x
        from_y = (2 * advance(streams) - 1) * r.extent_y
        to_x = (2 * advance(streams) - 1) * r.extent_x
        to_y = (2 * advance(streams) - 1) * r.extent_y
        priority = integers(advance(streams), *r.priorities)
        urgent = priority >= r.urgent
        low, high = (np.where(urgent, r.urgent_window[k], r.window[k]) for k in (0, 1))
        length = 60 * integers(advance(streams), low, high)
        leg = advance(streams) < r.return_share
        self._streams[:, e] = streams
        self._counts["created"][e] += 1

        full = self._open_count[e] >= r.slots
        if full.any():
            self._counts["refused"][e[full]] += 1
            lost[e[full]] += r.refusal * priority[full]
            free = ~full
            e, second, priority, length, leg = e[free], second[free], priority[free], length[free], leg[free]
            from_x, from_y, to_x, to_y = from_x[free], from_y[free], to_x[free], to_y[free]
        j = self._open[e].argmin(axis=1)
        metres = np.sqrt((to_x - from_x) ** 2 + (to_y - from_y) ** 2)
        x, y = from_x.astype(np.float32), from_y.astype(np.float32)
        self._open[e, j] = True
        self._open_count[e] += 1
        self._pickup_x[e, j], self._pickup_y[e, j] = x, y
        self._dropoff_x[e, j], self._dropoff_y[e, j] = to_x, to_y
        self._known[e, j], self._window_end[e, j] = second, second + length
        self._latest[e, j] = np.minimum(np.int64(r.tolerance) + second + length, NEVER)
        self._priority[e, j] = priority
        self._ride_metres[e, j], self._ride_seconds[e, j] = metres, metres / r.speed
        self._approach[e, :, j] = self._distance(x[:, None], y[:, None], self._end_x[e], self._end_y[e]) / r.speed

        row = np.zeros((len(e), self._of_bookings.shape[2]))
        row[:, PICKUP_X], row[:, PICKUP_Y], row[:, PRIORITY] = x * np.float64(r.scale_x), y * np.float64(r.scale_y), priority / 5
        if self.full:
            row[:, PRESENT], row[:, LEG] = 1, leg
            row[:, DROPOFF_X] = self._dropoff_x[e, j] * np.float64(r.scale_x)
            row[:, DROPOFF_Y] = self._dropoff_y[e, j] * np.float64(r.scale_y)
            row[:, RIDE] = self._ride_seconds[e, j] * PER_HOUR
        self._of_bookings[e, j] = row

    @staticmethod
    def _distance(x: np.ndarray, y: np.ndarray, to_x: np.ndarray, to_y: np.ndarray) -> np.ndarray:
        dx = np.subtract(x, to_x, dtype=np.float64)
        dy = np.subtract(y, to_y, dtype=np.float64)
        return np.sqrt(dx * dx + dy * dy)

    def _expire(self, e: np.ndarray, until: np.ndarray | int, lost: np.ndarray) -> None:
        """Open bookings of environments e whose window ends by `until` expire."""
        row, j = np.nonzero(self._open[e] & (self._window_end[e] <= until))
        if row.size:
            at = e[row]
            np.add.at(lost, at, self.rules.expiry * self._priority[at, j])
            np.add.at(self._counts["expired"], at, 1)
            self._close(at, j)

    def _close(self, e: np.ndarray, j: np.ndarray) -> None:
        self._open[e, j] = False
        np.subtract.at(self._open_count, e, 1)
        self._latest[e, j] = EMPTY
        self._of_bookings[e, j] = 0

    # ---------------------------------------------------------------- drivers

    def _factor(self, second: np.ndarray) -> np.ndarray:
        return self.rules.factor[(self.rules.start + second) // 60 % MINUTES]

    def _assign(self, e: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Gives the booking in slot j to driver i, which is legal; returns the rewards."""
        r, s = self.rules, self._sums
        depart = np.maximum(self._free_at[e, i], self._now)
        seconds = (self._approach[e, i, j] * self._factor(depart) + 0.5).astype(np.int32)
        pickup = np.maximum(depart + seconds, self._known[e, j])
        dropoff = pickup + (self._ride_seconds[e, j] * self._factor(pickup) + 0.5).astype(np.int32)
        metres = self._distance(self._pickup_x[e, j], self._pickup_y[e, j], self._end_x[e, i], self._end_y[e, i])
        late = pickup - self._window_end[e, j]
        load = self._load[e, i]
        s["load_squares"][e] += 2 * load + 1
        self._counts["accepted"][e] += 1
        reward = self._reward(e, i, late, metres, seconds, self._priority[e, j])

        entry = (self._first[e, i] + self._length[e, i]) % r.queue
        self._pickup_at[e, i, entry], self._dropoff_at[e, i, entry] = pickup, dropoff
        self._next_event[e, i] = np.where(self._length[e, i] == 0, pickup, self._next_event[e, i])
        self._length[e, i] += 1
        self._free_at[e, i] = dropoff
        x, y = self._dropoff_x[e, j], self._dropoff_y[e, j]
        self._end_x[e, i], self._end_y[e, i] = x, y
        self._load[e, i] = load + 1
        s["late"][e] += np.maximum(late, 0)
        self._counts["on_time"][e] += late <= 0
        s["wait"][e] += pickup - self._known[e, j]
        s["approach"][e] += metres
        s["ride"][e] += self._ride_metres[e, j]
        s["busy"][e] += np.minimum(dropoff, r.horizon) - np.minimum(depart, r.horizon)
        self._close(e, j)
        self._approach[e, i] = self._distance(self._pickup_x[e], self._pickup_y[e], x[:, None], y[:, None]) / r.speed
        self._of_drivers[e, i, DRIVER_X], self._of_drivers[e, i, DRIVER_Y] = (
            x * np.float64(r.scale_x),
            y * np.float64(r.scale_y),
        )
        self._of_drivers[e, i, LOAD] = (load + 1) / 10
        return reward

    def _reward(self, e, i, late, metres, seconds, priority) -> np.ndarray:
        """Once loads have been counted: the weighted sum of reward.ts."""
        r = self.rules
        mean = self._counts["accepted"][e] / r.drivers
        spread = np.sqrt(np.maximum(0, self._sums["load_squares"][e] / r.drivers - mean * mean))
        punctuality = np.where(late <= 0, 100, -np.minimum(200, late / 6))
        km = metres / 1000
        distance = 20 + 4 * (5 - km)
        far = km >= 5
        if far.any():
            distance[far] = np.maximum(-50, -10 * natural_log(km[far]))
        equity = np.where(spread < 1, 100, np.where(spread < 2, 50, -10 * spread))
        efficiency = np.where(seconds < 300, 70, 50)
        satisfaction = np.where(~r.emergency[i], 20, np.where(priority < 4, -10, 0))
        w = r.weights
        return w[0] * punctuality + w[1] * distance + w[2] * equity + w[3] * efficiency + w[4] * satisfaction

    def _serve(self) -> None:
        """Pickups and drop-offs up to now: each driver's next one, then again those of whom another is due."""
        c = self._counts
        e, i = np.nonzero(self._next_event <= self._now)
        while e.size:
            board = self._on_board[e, i]
            c["picked"] += np.bincount(e[~board], minlength=self.envs)
            c["completed"] += np.bincount(e[board], minlength=self.envs)
            self._on_board[e, i] = ~board
            first = np.where(board, (self._first[e, i] + 1) % self.rules.queue, self._first[e, i])
            length = self._length[e, i] - board
            self._first[e, i], self._length[e, i] = first, length
            due = np.where(board, self._pickup_at[e, i, first], self._dropoff_at[e, i, first])
            due[length == 0] = NEVER
            self._next_event[e, i] = due
            again = due <= self._now
            e, i = e[again], i[again]

    # ---------------------------------------------------------------- observations and masks

    def _observe(self) -> None:
        r, now = self.rules, self._now
        drivers, bookings, context = self._of_drivers, self._of_bookings, self._context
        bookings[:, :, TIME_LEFT] = np.where(self._open, (self._window_end - now) * PER_HOUR, 0)
        available = self._length < r.queue
        drivers[:, :, AVAILABLE] = available
        depart = np.maximum(self._free_at, now)
        factor = self._factor(depart)
        for first in range(0, self.envs, self._block):
            rows = slice(first, min(first + self._block, self.envs))
            count = rows.stop - first
            seconds, arrivals = self._seconds[:count], self._arrivals[:count]
            np.multiply(self._approach[rows], factor[rows, :, None], out=seconds)
            np.add(seconds, 0.5, out=arrivals, casting="unsafe")
            arrivals += depart[rows, :, None]
            masks = self._pair_masks[rows]
            np.less_equal(arrivals, self._latest[rows, None, :], out=masks)
            masks &= available[rows, :, None]
        context[:, 0], context[:, 1] = r.day[self._tick], r.traffic[self._tick]
        if self.full:
            # A booking's window starts when it becomes known, so none is still to come.
            bookings[:, :, AGE] = np.where(self._open, (now - self._known) * PER_HOUR, 0)
            drivers[:, :, PLAN] = self._length / r.queue
            drivers[:, :, UNTIL_FREE] = (depart - now) * PER_HOUR
            ahead = np.take_along_axis(self._dropoff_at, self._first[:, :, None], axis=2)[:, :, 0]
            drivers[:, :, UNTIL_DROPOFF] = np.where(self._length == 0, 0, (ahead - now) * PER_HOUR)
            context[:, 2] = self._tick / r.ticks
            context[:, 3] = self._open_count / r.slots
            context[:, 4] = self._counts["created"] / 100

    def outputs(self) -> tuple[np.ndarray, ...]:
        """In the order of a dump."""
        return (
            self.observations,
            self.masks,
            self.rewards,
            self.terminations,
            self.truncations,
            self.invalid,
            self.final_observations,
            self.final_masks,
            self.returns,
            self.lengths,
            self.kpis,
        )


def view(rows: np.ndarray, offset: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Part of each row as a matrix, without a copy."""
    item = rows.itemsize
    strides = (rows.strides[0], shape[2] * item, item)
    return np.lib.stride_tricks.as_strided(rows[:, offset:], shape, strides)


# ---------------------------------------------------------------- program


def main() -> None:
    rules, full, seed, tape = read_task(sys.argv[1])
    envs = VectorDispatch(rules, tape.shape[1], full)
    dump = open(sys.argv[2], "wb") if len(sys.argv) > 2 else None
    for _ in sys.stdin:
        envs.reset(seed)
        if dump:
            dump.writelines(envs.outputs())
        started = time.perf_counter()
        for actions in tape:
            envs.step(actions)
            if dump:
                dump.writelines(envs.outputs())
        seconds = time.perf_counter() - started
        if dump:
            dump.close()
            dump = None
        written = b"".join(array.tobytes() for array in (envs.observations, envs.rewards, envs.returns))
        print(json.dumps({"seconds": seconds, "checksum": zlib.crc32(written)}), flush=True)


if __name__ == "__main__":
    main()
