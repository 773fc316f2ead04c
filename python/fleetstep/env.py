"""One environment, as Gymnasium has it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from .command import engine_command
from .connection import GO_ON, Connection
from .options import PairRows, Scenario, request_of, seed_of, spaces_of, whole


class DispatchEnv(gymnasium.Env[np.ndarray[Any, Any], int]):
    """Dispatch of one fleet: give a booking to a driver, or wait.

    Action 0 waits, ``1 + driver * slots + slot`` gives the booking in ``slot`` to ``driver``. ``info["action_mask"]`` says which actions
    are legal; an illegal one acts as a wait, costs the scenario's ``invalidActionReward`` on top, and sets ``info["invalid_action"]``.

    Args:
        scenario: a built-in name, the path of a scenario file, or a scenario as a dict; ``{"extends": "geneva", ...}`` changes one
        data: folder of recorded trips, for scenarios that run on them
        observation: ``full`` or ``classic``
        first_env: plays what environment number ``first_env`` of a vector environment plays
        split: ``training``; or ``validation`` or ``test`` for the held-out episodes of ``fleetstep eval``
        pairs: ``info["pairs"]`` has a row of features for each legal action
        engine: see ``engine_command``
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self,
        scenario: Scenario = "geneva",
        *,
        data: str | os.PathLike[str] | None = None,
        observation: str = "full",
        first_env: int = 0,
        split: str = "training",
        pairs: bool = False,
        engine: str | os.PathLike[str] | Sequence[str] | None = None,
        render_mode: None = None,
    ) -> None:
        if render_mode is not None:
            raise ValueError(f"render_mode is {render_mode!r}: there is nothing to render; fleetstep serve has a dashboard")
        request = request_of(
            scenario=scenario, data=data, observation=observation, split=split, pairs=pairs, autoreset="DISABLED"
        )
        first_env = whole("first_env", first_env, 0)
        self.metadata = dict(type(self).metadata)
        self._connection = Connection(engine_command(engine), {**request, "numEnvs": 1, "firstEnv": first_env})
        welcome = self._connection.welcome
        self.observation_space, self.action_space = spaces_of(welcome)
        #: The scenario, whole.
        self.scenario: dict[str, Any] = welcome["scenario"]
        #: Names of the numbers of an observation: of each driver, of the booking in each slot, of the environment once.
        self.observation_shape: dict[str, list[str]] = welcome["observationShape"]
        #: Names of the columns of ``info["pairs"].features``.
        self.pair_columns: list[str] = welcome["pairColumns"]
        self._kpi_names: list[str] = welcome["kpiNames"]
        self._pairs = pairs
        self._started = False
        self._ended = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
        """Starts an episode: the first one of ``seed``, or without a seed the next one. ``options`` has no members."""
        if options:
            raise ValueError(f"options has {', '.join(map(repr, options))}: a single environment takes none")
        start = GO_ON if seed is None else float(seed_of(seed))
        super().reset(seed=seed)
        if seed is None and not self._started:
            start = float(self.np_random.integers(2**31))
        self._connection.send_reset(np.array([start]))
        self._connection.receive()
        self._started = True
        self._ended = False
        return self._observation(), self._info()

    def step(self, action: int) -> tuple[np.ndarray[Any, Any], float, bool, bool, dict[str, Any]]:
        """Takes one decision. At an episode's end, ``info`` has ``episode`` (``r``, ``l``) and ``kpis``."""
        if self._ended:
            raise ResetNeeded("step() without an episode: call reset() first, and again when an episode has ended")
        n = int(self.action_space.n)  # type: ignore[attr-defined]
        if isinstance(action, np.ndarray) and action.shape == ():
            action = action[()]
        action = whole("action", action, 0, n - 1)
        self._connection.send_step(np.array([action]))
        self._ended = self._connection.receive()
        arrays = self._connection.arrays
        info = self._info()
        if self._ended:
            info["episode"] = {"r": float(arrays["episodeReturns"][0]), "l": int(arrays["episodeLengths"][0])}
            info["kpis"] = dict(zip(self._kpi_names, arrays["episodeKpis"][0].tolist(), strict=True))
        return (
            self._observation(),
            float(arrays["rewards"][0]),
            bool(arrays["terminations"][0]),
            bool(arrays["truncations"][0]),
            info,
        )

    def close(self) -> None:
        """Ends the engine. Calling it again does nothing."""
        self._connection.close()

    def _observation(self) -> np.ndarray[Any, Any]:
        return self._connection.arrays["observations"][0].copy()

    def _info(self) -> dict[str, Any]:
        arrays = self._connection.arrays
        info: dict[str, Any] = {
            # As Discrete.sample wants it.
            "action_mask": arrays["actionMasks"][0].view(np.int8).copy(),
            "invalid_action": bool(arrays["invalidActions"][0]),
        }
        if self._pairs:
            rows = int(arrays["pairOffsets"][1])
            info["pairs"] = PairRows(
                arrays["pairOffsets"].copy(), arrays["pairActions"][:rows].copy(), arrays["pairFeatures"][:rows].copy()
            )
        return info
