"""PyTorch's side of bench/learner.ts: for each line on stdin, one measurement, printed as a line of JSON.

A line is {"nets": [{"widths": [...], "rows": n}, ...], "threads": t, "seconds": s}: multilayer perceptrons with ReLU, each on a batch
of its own, which are trained together by Adam with the gradient clipped to norm 0.5. The answer is {"updates": n, "seconds": s}.
"""

import json
import sys
import time

import torch


def chain(widths):
    layers = []
    for k in range(len(widths) - 1):
        layers.append(torch.nn.Linear(widths[k], widths[k + 1]))
        if k < len(widths) - 2:
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers)


def measure(nets, threads, seconds):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    models = [chain(net["widths"]) for net in nets]
    inputs = [torch.randn(net["rows"], net["widths"][0]) for net in nets]
    targets = [torch.randn(net["rows"], net["widths"][-1]) for net in nets]
    parameters = [p for model in models for p in model.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-4, eps=1e-5)

    def update():
        loss = sum(((m(x) - y) ** 2).sum() / x.shape[0] for m, x, y in zip(models, inputs, targets))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        optimiser.step()

    for _ in range(3):
        update()
    started = time.perf_counter()
    count = 0
    while time.perf_counter() - started < seconds:
        update()
        count += 1
    return {"updates": count, "seconds": time.perf_counter() - started}


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(measure(**json.loads(line))), flush=True)
