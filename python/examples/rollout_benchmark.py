"""How fast Python steps the engine, beside the engine's own speed without Python: the same seed and the same legal actions, in the same
process, one after the other.

    python python/examples/rollout_benchmark.py            # or --quick, --json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import fleetstep

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--scenario", default="geneva")
parser.add_argument("--data", default=None)
parser.add_argument("--observation", default="classic", choices=("classic", "full"))
parser.add_argument("--envs", type=int, nargs="+", default=[1, 64, 1024])
parser.add_argument("--quick", action="store_true", help="a few seconds")
parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
args = parser.parse_args()

ROUNDS = 3 if args.quick else 9
# Steps of all environments together, in one round.
WORK = 100_000 if args.quick else 400_000


def tape_of(envs: fleetstep.DispatchVectorEnv, steps: int) -> np.ndarray[Any, Any]:
    """Legal actions drawn at random, ``[steps, num_envs]``: so that no drawing is timed."""
    rng = np.random.default_rng(1)
    tape = np.empty((steps, envs.num_envs), np.int64)
    _, infos = envs.reset(seed=1)
    for t in range(steps):
        masks = infos["action_mask"]
        tape[t] = (rng.random(masks.shape, np.float32) * masks).argmax(axis=1)
        infos = envs.step(tape[t])[4]
    return tape


def measure(num_envs: int, copy: bool) -> dict[str, Any]:
    envs = fleetstep.make_vec(
        args.scenario,
        num_envs,
        1,
        data=args.data,
        observation=args.observation,
        autoreset_mode=AutoresetMode.SAME_STEP,
        copy=copy,
    )
    steps = max(100, WORK // num_envs) if num_envs > 1 else WORK // 20
    tape = tape_of(envs, steps)
    rows = list(tape)
    ours, engines = [], []
    for _ in range(ROUNDS):
        engines.append(envs.replay(1, tape))
        envs.reset(seed=1)
        started = time.perf_counter()
        for actions in rows:
            envs.step(actions)
        ours.append(time.perf_counter() - started)
    envs.close()
    work = steps * num_envs
    ratios = sorted(engine / own for engine, own in zip(engines, ours, strict=True))
    return {
        "envs": num_envs,
        "copy": copy,
        "python": work / statistics.median(ours),
        "engine": work / statistics.median(engines),
        "ratio": statistics.median(ratios),
        "spread": [ratios[0], ratios[-1]],
    }


def measure_sync(num_envs: int) -> float:
    """Gymnasium's own vector environment over single ones, each with an engine of its own: steps a second."""
    envs = SyncVectorEnv(
        [
            lambda e=e: fleetstep.DispatchEnv(
                args.scenario, data=args.data, observation=args.observation, first_env=e
            )
            for e in range(num_envs)
        ],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    envs.reset(seed=1)
    actions = np.zeros(num_envs, np.int64)
    steps = 200 if args.quick else 2000
    started = time.perf_counter()
    for _ in range(steps):
        envs.step(actions)
    seconds = time.perf_counter() - started
    envs.close()
    return steps * num_envs / seconds


rows = [measure(num_envs, copy) for num_envs in args.envs for copy in (True, False)]
sync = {"envs": 4, "python": measure_sync(4)}
about = {
    "python": platform.python_version(),
    "numpy": np.__version__,
    "gymnasium": gymnasium.__version__,
    "machine": platform.machine(),
    "cores": os.cpu_count(),
    "scenario": args.scenario,
    "observation": args.observation,
}
if args.json:
    print(json.dumps({"about": about, "rows": rows, "syncVectorEnv": sync}))
else:
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print("  envs  arrays     from Python    engine alone  ratio  (least to most)")
    for row in rows:
        low, high = row["spread"]
        print(
            f"{row['envs']:6}  {'copied' if row['copy'] else 'shared':8}{row['python']:12,.0f}/s {row['engine']:13,.0f}/s"
            f"{row['ratio']:7.2f}  ({low:.2f} to {high:.2f})"
        )
    print(f"SyncVectorEnv over {sync['envs']} single environments of ours: {sync['python']:,.0f}/s")
