"""How fast Python steps the engine, beside the engine's own speed without Python: the same seed and the same legal actions, in the same
process, one after the other. Beside them Gymnasium's SyncVectorEnv, over single environments of ours and, in a checkout of the repository,
over ones in plain NumPy that play the same days (bench/anchors/dispatch_gym.py).

    python python/examples/rollout_benchmark.py            # or --quick, --json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
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
ANCHORS = Path(__file__).resolve().parents[2] / "bench" / "anchors"
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


def sync_over_numpy(num_envs: int) -> dict[str, Any]:
    """SyncVectorEnv over environments in NumPy, and ours under the same actions, in turn: steps a second."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ANCHORS))
    import dispatch_gym

    ours = fleetstep.make_vec("geneva", num_envs, 1, observation="classic", autoreset_mode=AutoresetMode.SAME_STEP, copy=False)
    theirs = dispatch_gym.sync(dispatch_gym.geneva(), num_envs, False)
    rows = list(tape_of(ours, 20 if args.quick else 192))
    speeds: tuple[list[float], list[float]] = ([], [])
    for _ in range(3):
        last = []
        for envs, speed in zip((ours, theirs), speeds, strict=True):
            # One that is tens of times faster plays it more often, or its time would be all noise.
            repeats = 10 if envs is ours else 1
            seconds = 0.0
            for _ in range(repeats):
                envs.reset(seed=1)
                started = time.perf_counter()
                for actions in rows:
                    observations = envs.step(actions)[0]
                seconds += time.perf_counter() - started
            last.append(np.array(observations))
            speed.append(len(rows) * num_envs * repeats / seconds)
        if not np.array_equal(*last):
            raise RuntimeError("the environments in NumPy play other episodes than the engine")
    ours.close()
    theirs.close()
    ratios = sorted(own / other for own, other in zip(*speeds, strict=True))
    return {
        "envs": num_envs,
        "anchor": "SyncVectorEnv over NumPy",
        "python": statistics.median(speeds[0]),
        "sync": statistics.median(speeds[1]),
        "ratio": statistics.median(ratios),
        "spread": [ratios[0], ratios[-1]],
    }


rows = [measure(num_envs, copy) for num_envs in args.envs for copy in (True, False)]
sync = {"envs": 4, "python": measure_sync(4)}
over_numpy = [sync_over_numpy(num_envs) for num_envs in args.envs] if ANCHORS.is_dir() else []
if not over_numpy:
    print(f"left out: SyncVectorEnv over NumPy, as there is no {ANCHORS}: it comes with the repository alone", file=sys.stderr)
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
    print(json.dumps({"about": about, "rows": rows, "syncVectorEnv": sync, "overNumpy": over_numpy}))
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
    for row in over_numpy:
        low, high = row["spread"]
        print(
            f"{row['envs']:6}  geneva, classic: ours {row['python']:,.0f}/s, {row['anchor']} {row['sync']:,.0f}/s,"
            f" ratio {row['ratio']:.1f} ({low:.1f} to {high:.1f})"
        )
