"""The transition of engine/ as a plain Gymnasium environment in Python and NumPy, for the scenario `geneva`: what a vector environment of
Gymnasium's own is made of. python/examples/rollout_benchmark.py measures it; test/bench-twins.test.ts holds it to the engine, byte by byte.

    echo | python dispatch_gym.py TASK [DUMP]

TASK and the answers are as in dispatch.c; DUMP gets observations, masks, rewards and flags.
"""

from __future__ import annotations

import json
import math
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from dispatch_numpy import (
    AGE,
    AVAILABLE,
    DRIVER_X,
    DRIVER_Y,
    DROPOFF_X,
    DROPOFF_Y,
    EMERGENCY,
    EMPTY,
    LEG,
    LOAD,
    MINUTES,
    NEVER,
    PER_HOUR,
    PICKUP_X,
    PICKUP_Y,
    PLAN,
    PRESENT,
    PRIORITY,
    RIDE,
    TIME_LEFT,
    UNTIL_DROPOFF,
    UNTIL_FREE,
    Rules,
    natural_log,
    parse,
    read_task,
    seed_streams,
)

WORD = 0xFFFFFFFF


class Stream:
    """Numbers of one environment's demand (sfc32)."""

    def __init__(self, seed: int, env: int, episode: int) -> None:
        self.words = [int(word) for word in seed_streams(seed, np.array([env]), episode)[:, 0]]

    def float(self) -> float:
        a, b, c, d = self.words
        t = (a + b + d) & WORD
        self.words = [b ^ (b >> 9), (c + (c << 3)) & WORD, ((((c << 21) | (c >> 11)) & WORD) + t) & WORD, (d + 1) & WORD]
        return t * 2.3283064365386963e-10

    def integer(self, low: int, high: int) -> int:
        """Both ends inclusive."""
        return low + int(self.float() * (high - low + 1))


class DispatchEnv(gymnasium.Env):
    """One episode after the other; drivers and bookings are arrays, and a plan is a list of (pickup, drop-off)."""

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, rules: Rules, full: bool = False, env: int = 0) -> None:
        self.rules, self.full, self.env = rules, full, env
        driver, booking, _ = rules.columns(full)
        self.action_space = gymnasium.spaces.Discrete(rules.actions)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (rules.size(full),), np.float32)
        self.observation = np.zeros(rules.size(full), np.float32)
        at = rules.drivers * driver
        self.of_drivers = self.observation[:at].reshape(rules.drivers, driver)
        self.of_bookings = self.observation[at : at + rules.slots * booking].reshape(rules.slots, booking)
        self.context = self.observation[at + rules.slots * booking :]
        self.mask = np.zeros(rules.actions, np.uint8)
        self.pair_mask = self.mask[1:].reshape(rules.drivers, rules.slots)
        self.seed, self.episode = 0, -1
        self.minute_factor = rules.factor.tolist()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        r = self.rules
        # A vector environment gives environment k the seed + k; streams belong to the seed and the environment's index.
        if seed is not None:
            self.seed, self.episode = seed - self.env, -1
        self.episode += 1
        self.now = self.tick = 0
        self.created = 0
        self.end = np.zeros((r.drivers, 2), np.float32)
        self.free_at = np.zeros(r.drivers, np.int64)
        self.plans: list[list[tuple[int, int]]] = [[] for _ in range(r.drivers)]
        self.load = [0] * r.drivers
        self.load_sum = self.load_squares = 0
        self.open: dict[int, tuple[int, int, int, float, np.ndarray]] = {}
        self.pickup = np.zeros((r.slots, 2), np.float32)
        self.latest = np.full(r.slots, EMPTY, np.int64)
        self.approach = np.zeros((r.drivers, r.slots), np.float32)
        self.observation[:] = 0
        if self.full:
            self.of_drivers[:, EMERGENCY] = r.emergency
        self.stream = Stream(self.seed, self.env, self.episode)
        for _ in range(self.stream.integer(*r.initial)):
            self.draw(0)
        self.observe()
        return self.observation.copy(), {"action_mask": self.mask.copy()}

    def step(self, action: int):
        r = self.rules
        action = int(action)
        if action == 0:
            reward = 0 + r.wait * len(self.open)
        elif 0 < action < r.actions and self.mask[action]:
            reward = self.assign(*divmod(action - 1, r.slots))
        else:
            reward = r.invalid + (0 + r.wait * len(self.open))
        lost = 0.0
        if self.stream.float() < r.arrival[self.tick]:
            second = self.now + 1 + int(self.stream.float() * r.tick)
            count = self.stream.integer(*r.per_arrival)
            lost += self.expire(second)
            for _ in range(count):
                lost += self.draw(second)
        self.now += r.tick
        lost += self.expire(self.now)
        for plan in self.plans:
            while plan and plan[0][1] <= self.now:
                plan.pop(0)
        self.tick += 1
        self.observe()
        return self.observation.copy(), reward + lost, False, self.tick >= r.ticks, {"action_mask": self.mask.copy()}

    # ---------------------------------------------------------------- bookings

    def draw(self, second: int) -> float:
        """Draws a booking that becomes known at `second`; returns the reward of a refusal, if all slots are taken."""
        r, stream = self.rules, self.stream
        from_x = (2 * stream.float() - 1) * r.extent_x
        from_y = (2 * stream.float() - 1) * r.extent_y
        to_x = (2 * stream.float() - 1) * r.extent_x
        to_y = (2 * stream.float() - 1) * r.extent_y
        priority = stream.integer(*r.priorities)
        length = 60 * stream.integer(*(r.urgent_window if priority >= r.urgent else r.window))
        leg = stream.float() < r.return_share
        self.created += 1
        if len(self.open) >= r.slots:
            return r.refusal * priority
        j = next(j for j in range(r.slots) if j not in self.open)
        seconds = math.sqrt((to_x - from_x) ** 2 + (to_y - from_y) ** 2) / r.speed
        to = np.array((to_x, to_y), np.float32)
        self.open[j] = (second, second + length, priority, seconds, to)
        self.pickup[j] = from_x, from_y
        self.latest[j] = min(second + length + r.tolerance, NEVER)
        away = self.pickup[j].astype(np.float64) - self.end
        self.approach[:, j] = np.sqrt((away * away).sum(axis=1)) / r.speed
        row = self.of_bookings[j]
        row[PICKUP_X] = float(self.pickup[j, 0]) * r.scale_x
        row[PICKUP_Y] = float(self.pickup[j, 1]) * r.scale_y
        row[PRIORITY] = priority / 5
        if self.full:
            row[PRESENT], row[LEG], row[RIDE] = 1, leg, seconds * PER_HOUR
            row[DROPOFF_X], row[DROPOFF_Y] = float(to[0]) * r.scale_x, float(to[1]) * r.scale_y
        return 0

    def expire(self, until: int) -> float:
        """Open bookings whose window ends by `until` expire; returns their reward."""
        reward = 0
        for j, booking in list(self.open.items()):
            if booking[1] <= until:
                reward += self.rules.expiry * booking[2]
                self.close_slot(j)
        return reward

    def close_slot(self, j: int) -> None:
        del self.open[j]
        self.latest[j] = EMPTY
        self.of_bookings[j] = 0

    # ---------------------------------------------------------------- drivers

    def factor(self, second: int) -> float:
        return self.minute_factor[(self.rules.start + second) // 60 % MINUTES]

    def assign(self, i: int, j: int) -> float:
        """Gives the booking in slot j to driver i, which is legal; returns the reward."""
        r = self.rules
        known, window_end, priority, ride, to = self.open[j]
        depart = max(int(self.free_at[i]), self.now)
        seconds = int(float(self.approach[i, j]) * self.factor(depart) + 0.5)
        pickup = max(depart + seconds, known)
        dropoff = pickup + int(ride * self.factor(pickup) + 0.5)
        dx, dy = (float(a) - float(b) for a, b in zip(self.pickup[j], self.end[i], strict=True))
        metres = math.sqrt(dx * dx + dy * dy)
        self.load_sum += 1
        self.load_squares += 2 * self.load[i] + 1
        self.load[i] += 1
        late = pickup - window_end
        mean = self.load_sum / r.drivers
        spread = math.sqrt(max(0, self.load_squares / r.drivers - mean * mean))
        km = metres / 1000
        punctuality = 100 if late <= 0 else -min(200, late / 6)
        distance = 20 + 4 * (5 - km) if km < 5 else max(-50, -10 * float(natural_log(np.array([km]))[0]))
        equity = 100 if spread < 1 else 50 if spread < 2 else -10 * spread
        efficiency = 70 if seconds < 300 else 50
        satisfaction = 20 if not r.emergency[i] else -10 if priority < 4 else 0
        self.plans[i].append((pickup, dropoff))
        self.free_at[i] = dropoff
        self.end[i] = to
        self.close_slot(j)
        away = self.pickup.astype(np.float64) - self.end[i]
        self.approach[i] = np.sqrt((away * away).sum(axis=1)) / r.speed
        row = self.of_drivers[i]
        row[DRIVER_X], row[DRIVER_Y] = float(to[0]) * r.scale_x, float(to[1]) * r.scale_y
        row[LOAD] = self.load[i] / 10
        w = r.weights
        return w[0] * punctuality + w[1] * distance + w[2] * equity + w[3] * efficiency + w[4] * satisfaction

    # ---------------------------------------------------------------- observations and masks

    def observe(self) -> None:
        r, now = self.rules, self.now
        for j, (known, window_end, *_) in self.open.items():
            self.of_bookings[j, TIME_LEFT] = (window_end - now) * PER_HOUR
            if self.full:
                self.of_bookings[j, AGE] = (now - known) * PER_HOUR
        available = np.array([len(plan) < r.queue for plan in self.plans])
        self.of_drivers[:, AVAILABLE] = available
        depart = np.maximum(self.free_at, now)
        factor = r.factor[(r.start + depart) // 60 % MINUTES]
        arrivals = depart[:, None] + (self.approach * factor[:, None] + 0.5).astype(np.int64)
        self.mask[0] = 1
        self.pair_mask[:] = (arrivals <= self.latest) & available[:, None]
        self.context[0], self.context[1] = r.day[self.tick], r.traffic[self.tick]
        if self.full:
            self.of_drivers[:, PLAN] = [len(plan) / r.queue for plan in self.plans]
            self.of_drivers[:, UNTIL_FREE] = (depart - now) * PER_HOUR
            self.of_drivers[:, UNTIL_DROPOFF] = [(plan[0][1] - now) * PER_HOUR if plan else 0 for plan in self.plans]
            self.context[2:] = self.tick / r.ticks, len(self.open) / r.slots, self.created / 100


def geneva() -> Rules:
    """The rules of the scenario `geneva`, as they lie beside this file."""
    return Rules(parse((Path(__file__).parent / "geneva.txt").read_text()))


def sync(rules: Rules, envs: int, full: bool) -> SyncVectorEnv:
    """Gymnasium's own vector environment."""
    makers = [lambda env=env: DispatchEnv(rules, full, env) for env in range(envs)]
    return SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)


def main() -> None:
    rules, full, seed, tape = read_task(sys.argv[1])
    n = tape.shape[1]
    envs = sync(rules, n, full)
    dump = open(sys.argv[2], "wb") if len(sys.argv) > 2 else None

    def write(observations, infos, rewards, terminations, truncations) -> None:
        if dump:
            masks = infos["action_mask"].astype(np.uint8)
            dump.writelines((observations, masks, rewards.astype(np.float32), terminations, truncations))

    for _ in sys.stdin:
        observations, infos = envs.reset(seed=seed)
        off = np.zeros(n, np.bool_)
        write(observations, infos, np.zeros(n), off, off)
        started = time.perf_counter()
        for actions in tape:
            observations, rewards, terminations, truncations, infos = envs.step(actions)
            write(observations, infos, rewards, terminations, truncations)
        seconds = time.perf_counter() - started
        if dump:
            dump.close()
            dump = None
        print(json.dumps({"seconds": seconds, "checksum": zlib.crc32(observations.tobytes())}), flush=True)


if __name__ == "__main__":
    main()
