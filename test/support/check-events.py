"""Reads a run's curves with TensorBoard's own reader, and compares them with metrics.jsonl: python check-events.py RUN"""

import glob
import json
import math
import sys

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

run = sys.argv[1]
(file,) = glob.glob(f"{run}/events.out.tfevents.*")
found = {}
for event in EventFileLoader(file).Load():
    for value in event.summary.value:
        number = value.tensor.float_val[0] if value.HasField("tensor") else value.simple_value
        found[(event.step, value.tag)] = number
expected = {}
for line in open(f"{run}/metrics.jsonl"):
    metrics = json.loads(line)
    step = metrics.pop("global_step")
    for tag, number in metrics.items():
        if tag not in ("iteration", "seconds") and number is not None:
            expected[(step, tag)] = number
if found.keys() != expected.keys() or not expected:
    sys.exit(f"{file}: {len(found)} scalars, expected {len(expected)}")
for key, number in expected.items():
    if not math.isclose(found[key], number, rel_tol=1e-6, abs_tol=1e-30):
        sys.exit(f"{file}: {key} is {found[key]}, expected {number}")
print(f"TensorBoard reads {len(found)} scalars of {file}")
