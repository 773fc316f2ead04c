"""What the tests share: short scenarios, and actions that are a function of the mask, the step and the environment alone."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

#: Five ticks, any number of assignments in each: environments end at different steps.
SHORT = {"extends": "geneva-live", "name": "short", "horizonSeconds": 1500}

#: Where the trips of the New York benchmark lie, if they are here.
NYC = os.environ.get("FLEETSTEP_NYC_AMOD")


def some_actions(masks: np.ndarray[Any, Any], t: int, first: int = 0) -> np.ndarray[Any, Any]:
    """A legal action in each environment, and now and then an illegal one. test/python-bytes.test.ts has the same in Node."""
    actions = np.zeros(len(masks), np.int64)
    for row, mask in enumerate(masks):
        e = first + row
        legal = np.flatnonzero(mask)
        actions[row] = legal[(t * 7 + e * 13) % len(legal)]
        if (t + e) % 11 == 0:
            actions[row] = (t * 31 + e * 17) % len(mask)
    return actions
