"""Many environments at once, as Gymnasium has them, in one engine process or several."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from .command import engine_command
from .connection import GO_ON, LEAVE, Connection
from .errors import FleetstepError
from .options import PairRows, Scenario, request_of, seed_of, spaces_of, whole

Array = np.ndarray[Any, Any]
#: Kinds of whole numbers, and their unsigned ones.
_UNSIGNED = {np.dtype(f"{sign}{size}"): np.dtype(f"u{size}") for sign in "iu" for size in (1, 2, 4, 8)}

Results = tuple[Array, Array, Array, Array, dict[str, Any]]


class DispatchVectorEnv(VectorEnv[Array, Array, Array]):
    """``num_envs`` environments; see ``make_vec`` for the arguments, and ``DispatchEnv`` for actions.

    Environment ``i`` depends on the seed and on ``first_env + i`` alone: not on how many there are, how many workers step them, or what is
    asked of others.
    """

    def __init__(
        self,
        scenario: Scenario = "geneva",
        num_envs: int = 1,
        seed: int | None = None,
        workers: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        data: str | os.PathLike[str] | None = None,
        observation: str = "full",
        first_env: int = 0,
        split: str = "training",
        pairs: bool = False,
        copy: bool = True,
        engine: str | os.PathLike[str] | Sequence[str] | None = None,
        render_mode: None = None,
    ) -> None:
        if render_mode is not None:
            raise ValueError(f"render_mode is {render_mode!r}: there is nothing to render; fleetstep serve has a dashboard")
        self.num_envs = whole("num_envs", num_envs, 1)
        workers = whole("workers", workers, 1, self.num_envs)
        first_env = whole("first_env", first_env, 0)
        self._seed = None if seed is None else seed_of(seed)
        self.autoreset_mode = _mode_of(autoreset_mode)
        request = request_of(
            scenario=scenario,
            data=data,
            observation=observation,
            split=split,
            pairs=pairs,
            autoreset=self.autoreset_mode.name,
        )
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        command = engine_command(engine)
        self._parts: list[_Part] = []
        try:
            for k in range(workers):
                low, high = self.num_envs * k // workers, self.num_envs * (k + 1) // workers
                request_k = {**request, "numEnvs": high - low, "firstEnv": first_env + low}
                self._parts.append(_Part(Connection(command, request_k), low, high, self.autoreset_mode, pairs))
        except BaseException:
            self.close()
            raise
        welcome = self._parts[0].connection.welcome
        self.single_observation_space, self.single_action_space = spaces_of(welcome)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._actions = int(welcome["actionSpace"]["n"])
        #: The scenario, whole.
        self.scenario: dict[str, Any] = welcome["scenario"]
        #: Names of the numbers of an observation: of each driver, of the booking in each slot, of the environment once.
        self.observation_shape: dict[str, list[str]] = welcome["observationShape"]
        #: Names of the columns of ``infos["pairs"].features``.
        self.pair_columns: list[str] = welcome["pairColumns"]
        self._copy = copy
        self._started = False
        #: What has been sent and not yet received: parts in the order in which they were sent.
        self._sent: list[_Part] = []
        #: The part whose results ``recv`` gave last: ``send`` is for it.
        self._turn: _Part | None = None

    # ------------------------------------------------------------ Gymnasium's calls

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Starts episodes: the first ones of ``seed``, or without a seed the next ones.

        Args:
            seed: of all environments, which differ by their number all the same; or a list with a seed, or None, for each
            options: ``reset_mask``, ``[num_envs]`` bool: which environments to reset; default all
        """
        seeds = self._seeds_of(seed, options)
        self._refuse_sent("reset")
        super().reset(seed=seed if isinstance(seed, (int, np.integer)) else None)
        with self._all_or_none():
            for part in self._parts:
                part.send_reset(seeds[part.low : part.high])
            observations, _, _, _, infos = self._collect(self._parts)
        self._started = True
        return observations, infos

    def step(self, actions: Any) -> Results:
        """One decision in each environment.

        Args:
            actions: ``[num_envs]`` whole numbers from 0 to ``single_action_space.n - 1``
        """
        chosen = self._checked(actions, self.num_envs)
        self._refuse_sent("step")
        self._check_started(self._parts)
        # As _all_or_none, which takes a microsecond longer.
        try:
            for part in self._parts:
                part.connection.send_step(chosen[part.low : part.high])
            return self._collect(self._parts)
        except BaseException as error:
            self._abandon(error)
            raise

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the engines."""
        for part in getattr(self, "_parts", []):
            part.connection.close()

    # ------------------------------------------------------------ one worker after the other

    def send_reset(self, seed: int | Sequence[int | None] | None = None) -> None:
        """As ``reset``, without waiting: ``recv`` gives the results, one worker's after the other."""
        seeds = self._seeds_of(seed, None)
        self._refuse_sent("send_reset")
        with self._all_or_none():
            for part in self._parts:
                part.send_reset(seeds[part.low : part.high])
                self._sent.append(part)
        self._started = True

    def send(self, actions: Any) -> None:
        """Sends actions to the environments that ``recv`` gave last, and does not wait: the engine steps meanwhile.

        Args:
            actions: one for each of ``infos["env_id"]``
        """
        part = self._turn
        if part is None:
            raise FleetstepError("send() is for the environments that recv() gave last: call send_reset() and recv() first")
        chosen = self._checked(actions, part.high - part.low)
        self._check_started([part])
        with self._all_or_none():
            part.connection.send_step(chosen)
        self._sent.append(part)
        self._turn = None

    def recv(self) -> Results:
        """Waits for the worker whose turn it is, and gives the results of its environments alone.

        ``infos["env_id"]`` has their numbers. Workers take turns in the order in which they were sent to.
        """
        if not self._sent:
            raise FleetstepError("recv() has nothing to wait for: call send_reset() or send() first")
        part = self._sent.pop(0)
        with self._all_or_none():
            results = part.receive(self._copy)
        results[4]["env_id"] = np.arange(part.low, part.high)
        self._turn = part
        return results

    # ------------------------------------------------------------ beside Gymnasium

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the engines."""
        return [part.connection.pid for part in self._parts]

    def replay(self, seed: int, actions: Array) -> float:
        """Plays ``actions``, ``[steps, num_envs]``, from ``reset(seed=seed)`` on within the engine, one worker after the other.

        Returns:
            the seconds that the steps took in the engine alone. A benchmark compares them with its own.
        """
        self._refuse_sent("replay")
        tape = np.asarray(actions)
        if tape.ndim != 2 or tape.shape[1] != self.num_envs or tape.dtype.kind not in "iu":
            raise ValueError(f"actions is {tape.dtype} {tape.shape}: expected whole numbers, (steps, {self.num_envs})")
        start = seed_of(seed)
        with self._all_or_none():
            seconds = sum(part.connection.replay(start, tape[:, part.low : part.high]) for part in self._parts)
        self._started = True
        return seconds

    # ------------------------------------------------------------ faults and checks

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._abandon(error)
            raise

    def _abandon(self, error: BaseException) -> None:
        """When one engine has died or a call was interrupted, the others are a step ahead or behind: all of them end."""
        self._sent.clear()
        self._turn = None
        for part in self._parts:
            part.connection.close(f"a call ended with {type(error).__name__}")

    def _checked(self, actions: Any, count: int) -> Array:
        """Refuses what is no array of ``count`` actions, before anything is sent."""
        chosen = np.asarray(actions)
        unsigned = _UNSIGNED.get(chosen.dtype)
        if unsigned is None:
            raise TypeError(f"actions has dtype {chosen.dtype}: expected whole numbers, such as int64")
        if chosen.shape != (count,):
            raise ValueError(f"actions has shape {chosen.shape}: expected ({count},), one action for each environment")
        # As unsigned numbers, those below 0 are above all others.
        if np.maximum.reduce(chosen.view(unsigned)) >= self._actions:
            at = int(np.flatnonzero((chosen < 0) | (chosen >= self._actions))[0])
            raise ValueError(f"actions[{at}] is {chosen[at]}: expected 0 to {self._actions - 1}")
        return chosen

    def _seeds_of(self, seed: Any, options: dict[str, Any] | None) -> Array:
        if options is not None and set(options) - {"reset_mask"}:
            raise ValueError(f"options has {sorted(set(options) - {'reset_mask'})}: expected reset_mask alone")
        if seed is None and not self._started:
            seed = self._seed if self._seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
        if seed is None:
            seeds = np.full(self.num_envs, GO_ON)
        elif isinstance(seed, (list, tuple, np.ndarray)):
            if len(seed) != self.num_envs:
                raise ValueError(f"seed has {len(seed)} entries: expected {self.num_envs}, one for each environment")
            seeds = np.array(
                [GO_ON if one is None else float(seed_of(one, f"seed[{k}]")) for k, one in enumerate(seed)]
            )
        else:
            seeds = np.full(self.num_envs, float(seed_of(seed)))
        mask = None if options is None else options.get("reset_mask")
        if mask is None:
            return seeds
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise ValueError(f"options['reset_mask'] is {found}: expected a NumPy array of bool, ({self.num_envs},)")
        if not mask.any():
            raise ValueError("options['reset_mask'] is all False: expected at least one environment to reset")
        if not self._started and not mask.all():
            raise ResetNeeded("the first reset starts all environments: leave reset_mask out")
        return np.where(mask, seeds, LEAVE)

    def _check_started(self, parts: Sequence[_Part]) -> None:
        if not self._started:
            raise ResetNeeded("step() before reset(): call reset(seed=...) first")
        if self.autoreset_mode is not AutoresetMode.DISABLED:
            return
        for part in parts:
            if part.ended:
                ended = part.low + np.flatnonzero(part.done())
                raise ResetNeeded(
                    f"environments {ended.tolist()} have ended: reset them with options={{'reset_mask': ...}} first"
                )

    def _refuse_sent(self, call: str) -> None:
        if self._sent:
            raise FleetstepError(f"{call}() while {len(self._sent)} workers have results: call recv() for each of them first")
        self._turn = None

    # ------------------------------------------------------------ results

    def _collect(self, parts: Sequence[_Part]) -> Results:
        if len(parts) == 1:
            return parts[0].receive(self._copy)
        # Copied once, when they are put together.
        results = [part.receive(False) for part in parts]
        observations, rewards, terminations, truncations = (
            np.concatenate([result[k] for result in results]) for k in range(4)
        )
        return observations, rewards, terminations, truncations, _joined([result[4] for result in results], parts)


class _Part:
    """The environments ``low`` to ``high`` of one engine, and what its arrays mean."""

    def __init__(self, connection: Connection, low: int, high: int, mode: AutoresetMode, pairs: bool) -> None:
        self.connection = connection
        self.low = low
        self.high = high
        #: Whether an episode of these has ended, and not been reset by the caller.
        self.ended = False
        self._same_step = mode is AutoresetMode.SAME_STEP
        self._pairs = pairs
        self._kpi_names: list[str] = connection.welcome["kpiNames"]
        arrays = connection.arrays
        self._observations = arrays["observations"]
        # As Discrete.sample wants them.
        self._masks = arrays["actionMasks"].view(np.int8)
        self._rewards = arrays["rewards"]
        self._terminations = arrays["terminations"].view(np.bool_)
        self._truncations = arrays["truncations"].view(np.bool_)
        self._invalid = arrays["invalidActions"].view(np.bool_)
        self._all = np.ones(high - low, np.bool_)
        self._all.flags.writeable = False
        self._reset: Array | None = None

    def done(self) -> Array:
        return self._terminations | self._truncations

    def send_reset(self, seeds: Array) -> None:
        self.connection.send_reset(seeds)
        self._reset = seeds != LEAVE

    def receive(self, copy: bool) -> Results:
        any_ended = self.connection.receive()
        reset, self._reset = self._reset, None
        present = self._all
        if reset is not None:
            any_ended = False
            self.ended = bool(self.done().any())
            if not reset.all():
                present = reset
        else:
            self.ended = any_ended
        observations, masks, invalid = self._observations, self._masks, self._invalid
        if copy:
            observations = observations.copy()
            masks = masks.copy()
        infos: dict[str, Any] = {
            "action_mask": masks,
            "_action_mask": present,
            "invalid_action": invalid.copy(),
            "_invalid_action": present,
        }
        if self._pairs:
            infos["pairs"] = self._pair_rows(copy)
        if any_ended:
            self._add_end(infos)
        return (
            observations,
            self._rewards.astype(np.float64),
            self._terminations.copy(),
            self._truncations.copy(),
            infos,
        )

    def _add_end(self, infos: dict[str, Any]) -> None:
        """What Gymnasium's own vector environments add where an episode has ended."""
        arrays = self.connection.arrays
        done = self.done()
        kpis = arrays["episodeKpis"]
        ends: dict[str, Any] = {}
        _put(ends, "episode", {"r": arrays["episodeReturns"], "l": arrays["episodeLengths"].astype(np.int64)}, done)
        _put(ends, "kpis", {name: kpis[:, k] for k, name in enumerate(self._kpi_names)}, done)
        if not self._same_step:
            infos.update(ends)
            return
        # Rows of `infos` are the next episode's; those of the one that has ended go here.
        final = {"action_mask": arrays["finalActionMasks"].view(np.int8), "invalid_action": self._invalid}
        _put(infos, "final_info", final, done)
        infos["final_info"].update(ends)
        infos["invalid_action"] &= ~done
        observations = np.full(len(done), None, dtype=object)
        for e in np.flatnonzero(done):
            observations[e] = arrays["finalObservations"][e].copy()
        infos["final_obs"] = observations
        infos["_final_obs"] = done.copy()
        if self._pairs:
            infos["final_pairs"] = self._final_pair_rows(done)

    def _pair_rows(self, copy: bool) -> PairRows:
        arrays = self.connection.arrays
        offsets = arrays["pairOffsets"]
        rows = int(offsets[-1])
        found = (offsets, arrays["pairActions"][:rows], arrays["pairFeatures"][:rows])
        return PairRows(*(array.copy() if copy else array for array in found))

    def _final_pair_rows(self, done: Array) -> PairRows:
        arrays = self.connection.arrays
        n = len(done)
        counts = np.where(done, arrays["finalPairCounts"], 0)
        stride = len(arrays["finalPairActions"]) // n
        rows = np.concatenate([e * stride + np.arange(counts[e]) for e in range(n)])
        offsets = np.zeros(n + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        return PairRows(offsets, arrays["finalPairActions"][rows], arrays["finalPairFeatures"][rows])


def _put(infos: dict[str, Any], key: str, values: Mapping[str, Array], present: Array) -> None:
    """Adds a dict of arrays that hold where ``present``, each with its own ``_key``; zeros elsewhere."""
    infos[key] = {}
    for name, array in values.items():
        chosen = present if array.ndim == 1 else present[:, None]
        infos[key][name] = np.where(chosen, array, np.zeros((), array.dtype))
        infos[key][f"_{name}"] = present.copy()
    infos[f"_{key}"] = present.copy()


def _joined(infos: Sequence[dict[str, Any]], parts: Sequence[_Part]) -> dict[str, Any]:
    """Infos of several parts as those of one: zeros, or None, where a part does not have a key."""
    joined: dict[str, Any] = {}
    for key in dict.fromkeys(key for info in infos for key in info):
        values = [info.get(key) for info in infos]
        sample = next(value for value in values if value is not None)
        sizes = [part.high - part.low for part in parts]
        if isinstance(sample, dict):
            joined[key] = _joined([value or {} for value in values], parts)
        elif isinstance(sample, PairRows):
            joined[key] = _joined_rows(values, sizes)
        else:
            empty = None if sample.dtype == object else 0
            joined[key] = np.concatenate(
                [
                    np.full((size, *sample.shape[1:]), empty, sample.dtype) if value is None else value
                    for value, size in zip(values, sizes, strict=True)
                ]
            )
    return joined


def _joined_rows(values: Sequence[PairRows | None], sizes: Sequence[int]) -> PairRows:
    counts = [
        np.zeros(size, np.int32) if rows is None else np.diff(rows.offsets)
        for rows, size in zip(values, sizes, strict=True)
    ]
    present = [rows for rows in values if rows is not None]
    return PairRows(
        np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32),
        np.concatenate([rows.actions for rows in present]),
        np.concatenate([rows.features for rows in present]),
    )


def _mode_of(mode: str | AutoresetMode) -> AutoresetMode:
    for known in AutoresetMode:
        if mode is known or mode == known.value or mode == known.name:
            return known
    names = ", ".join(f"AutoresetMode.{known.name}" for known in AutoresetMode)
    raise ValueError(f"autoreset_mode is {mode!r}: expected one of {names}")
