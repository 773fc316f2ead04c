"""Plays environments that are described by a line of JSON, and prints the SHA-256 of every byte that they give: test/python-bytes.test.ts
does the same in Node, and compares.

    python play.py '{"scenario": "geneva", "num_envs": 3, "seed": 1, "steps": 200, "autoreset_mode": "SAME_STEP"}'
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np

import fleetstep
from support import some_actions

asked = json.loads(sys.argv[1])
steps = asked.pop("steps")
envs = fleetstep.make_vec(**asked)
digest = hashlib.sha256()
observations, infos = envs.reset()
digest.update(observations.tobytes())
digest.update(infos["action_mask"].tobytes())
for t in range(steps):
    observations, rewards, terminations, truncations, infos = envs.step(some_actions(infos["action_mask"], t))
    digest.update(observations.tobytes())
    digest.update(infos["action_mask"].tobytes())
    # The engine's are float32.
    digest.update(rewards.astype(np.float32).tobytes())
    digest.update(terminations.tobytes())
    digest.update(truncations.tobytes())
    done = np.flatnonzero(terminations | truncations)
    ends = infos if "episode" in infos else infos.get("final_info", {})
    for e in done:
        if "final_obs" in infos:
            digest.update(infos["final_obs"][e].tobytes())
            digest.update(ends["action_mask"][e].tobytes())
        digest.update(ends["episode"]["r"][e].tobytes())
        digest.update(ends["episode"]["l"][e].astype(np.int32).tobytes())
        digest.update(np.array([ends["kpis"][name][e] for name in ends["kpis"] if name[0] != "_"]).tobytes())
envs.close()
print(digest.hexdigest())
