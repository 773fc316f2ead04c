"""Vehicle dispatch environments for Gymnasium, stepped by the fleetstep engine on Node.js. See docs/python.md."""

from __future__ import annotations

import os
from collections.abc import Sequence

import gymnasium
from gymnasium.vector import AutoresetMode

from .command import engine_command
from .env import DispatchEnv
from .errors import EngineDied, EngineNotFound, EngineRefused, FleetstepError
from .options import PairRows, Scenario
from .vector_env import DispatchVectorEnv
from .version import __version__

__all__ = [
    "DispatchEnv",
    "DispatchVectorEnv",
    "EngineDied",
    "EngineNotFound",
    "EngineRefused",
    "FleetstepError",
    "PairRows",
    "__version__",
    "engine_command",
    "make_vec",
]


def make_vec(
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
) -> DispatchVectorEnv:
    """A ``gymnasium.vector.VectorEnv`` of ``num_envs`` environments.

    Args:
        scenario: a built-in name, the path of a scenario file, or a scenario as a dict; ``{"extends": "geneva", ...}`` changes one
        num_envs: how many
        seed: of the first ``reset()``, where that has none; default: another one each time
        workers: engine processes, each with a slice of the environments. Results do not depend on it
        autoreset_mode: NEXT_STEP (default, as in Gymnasium), SAME_STEP, or DISABLED
        data: folder of recorded trips, for scenarios that run on them
        observation: ``full`` or ``classic``
        first_env: number of the first environment: a part of a batch plays what the whole would
        split: ``training``; or ``validation`` or ``test`` for the held-out episodes of ``fleetstep eval``
        pairs: ``infos["pairs"]`` has a row of features for each legal action
        copy: whether observations and masks are the caller's own; if not, the next step rewrites them, and they are read-only
        engine: see ``engine_command``
    """
    return DispatchVectorEnv(
        scenario,
        num_envs,
        seed,
        workers,
        autoreset_mode=autoreset_mode,
        data=data,
        observation=observation,
        first_env=first_env,
        split=split,
        pairs=pairs,
        copy=copy,
        engine=engine,
    )


def _register() -> None:
    for name, scenario in (
        ("Geneva", "geneva"),
        ("GenevaLive", "geneva-live"),
        ("GenevaMedical", "geneva-medical"),
        ("NycSmall", "nyc-small"),
        ("NycLarge", "nyc-large"),
    ):
        gymnasium.register(
            f"fleetstep/{name}-v0",
            entry_point="fleetstep.env:DispatchEnv",
            vector_entry_point="fleetstep.vector_env:DispatchVectorEnv",
            kwargs={"scenario": scenario},
        )


_register()
