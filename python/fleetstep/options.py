"""What environments are made from, checked before anything is started: the same for one and for many."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

OBSERVATIONS = ("full", "classic")
SPLITS = ("training", "validation", "test")

#: Seeds of training are below; the engine keeps those above for held-out episodes.
MAX_SEED = 2**40 - 1

Scenario = str | os.PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True)
class PairRows:
    """A row of features for each legal action, of one environment after the other.

    Rows of environment ``e`` are ``offsets[e]`` to ``offsets[e + 1]``, the first of them waiting.

    Attributes:
        offsets: ``[num_envs + 1]`` int32
        actions: ``[rows]`` int32, ascending within an environment
        features: ``[rows, 32]`` float32; ``pair_columns`` of the environment has their names
    """

    offsets: np.ndarray[Any, Any]
    actions: np.ndarray[Any, Any]
    features: np.ndarray[Any, Any]

    def of(self, env: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Actions and features of one environment."""
        rows = slice(int(self.offsets[env]), int(self.offsets[env + 1]))
        return self.actions[rows], self.features[rows]


def request_of(
    *,
    scenario: Scenario,
    data: str | os.PathLike[str] | None,
    observation: str,
    split: str,
    pairs: bool,
    autoreset: str,
) -> dict[str, Any]:
    """The engine's request, without the number of environments."""
    if isinstance(scenario, os.PathLike):
        scenario = os.fspath(scenario)
    if not isinstance(scenario, (str, Mapping)):
        raise TypeError(f"scenario is a {type(scenario).__name__}: expected a name, the path of a .json file, or a dict")
    if observation not in OBSERVATIONS:
        raise ValueError(f"observation is {observation!r}: expected one of {', '.join(OBSERVATIONS)}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}: expected one of {', '.join(SPLITS)}")
    return {
        "scenario": scenario if isinstance(scenario, str) else dict(scenario),
        "data": None if data is None else os.fspath(data),
        "observation": observation,
        "autoresetMode": autoreset,
        "split": split,
        "pairs": bool(pairs),
    }


def spaces_of(welcome: Mapping[str, Any]) -> tuple[Box, Discrete]:
    """Spaces of one environment, with the bounds that the engine gives."""
    space = welcome["observationSpace"]
    low, high = (np.array(space[name], np.float32) for name in ("low", "high"))
    return Box(low, high, dtype=np.float32), Discrete(welcome["actionSpace"]["n"])


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """``value`` as an int from ``least`` to ``most``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r}: expected a whole number")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} is {value}: expected {least} to {most}" if most else f"{name} is {value}: expected at least {least}")
    return int(value)


def seed_of(value: Any, name: str = "seed") -> int:
    """A seed that the engine takes."""
    return whole(name, value, 0, MAX_SEED)
