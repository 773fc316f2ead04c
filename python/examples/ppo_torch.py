"""Masked PPO in PyTorch, in one file, after CleanRL's ppo.py: trains on geneva, then plays the held-out episodes beside a rule.

The policy scores a row of features for each legal action (``infos["pairs"]``), so that illegal ones need no mask: they have no row. The
value comes from the observation. An episode that is cut at its horizon is bootstrapped from its final observation.

    pip install ./python torch
    python python/examples/ppo_torch.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import nn

import fleetstep

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--scenario", default="geneva")
parser.add_argument("--data", default=None, help="folder of recorded trips, for scenarios that run on them")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--total-timesteps", type=int, default=1_000_000)
parser.add_argument("--num-envs", type=int, default=64)
parser.add_argument("--num-steps", type=int, default=96)
parser.add_argument("--minibatch-size", type=int, default=1024)
parser.add_argument("--update-epochs", type=int, default=4)
parser.add_argument("--learning-rate", type=float, default=3e-3)
parser.add_argument("--gamma", type=float, default=0.99)
parser.add_argument("--gae-lambda", type=float, default=0.95)
parser.add_argument("--clip-coef", type=float, default=0.2)
parser.add_argument("--ent-coef", type=float, default=0.01)
parser.add_argument("--vf-coef", type=float, default=0.5)
parser.add_argument("--max-grad-norm", type=float, default=0.5)
parser.add_argument("--reward-scale", type=float, default=0.01, help="brings rewards to the order of 1")
parser.add_argument("--eval-episodes", type=int, default=200)
parser.add_argument("--rule", default="edf", help="the rule to beat")
args = parser.parse_args()


def layer(inputs: int, outputs: int, gain: float = np.sqrt(2)) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


class Agent(nn.Module):
    """Scores rows of legal actions; values observations."""

    def __init__(self, columns: int, size: int) -> None:
        super().__init__()
        self.actor = nn.Sequential(
            layer(columns, 32), nn.Tanh(), layer(32, 32), nn.Tanh(), layer(32, 1, gain=0.01)
        )
        self.critic = nn.Sequential(layer(size, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, 1, gain=1.0))

    def log_probabilities(self, features: torch.Tensor, owner: torch.Tensor, states: int) -> torch.Tensor:
        """Of each row, among the rows of its own state: a softmax over segments."""
        scores = self.actor(features).squeeze(-1)
        highest = torch.full((states,), -torch.inf).scatter_reduce(0, owner, scores.detach(), "amax")
        shifted = scores - highest[owner]
        total = torch.zeros(states).index_add(0, owner, shifted.exp())
        return shifted - total.log()[owner]

    def value(self, observations: torch.Tensor) -> torch.Tensor:
        return self.critic(observations).squeeze(-1)


def owners(counts: np.ndarray[Any, Any]) -> torch.Tensor:
    """The state that each row belongs to."""
    return torch.from_numpy(np.repeat(np.arange(len(counts)), counts))


def rows_of(offsets: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Indices of all rows of states whose rows start at ``offsets``."""
    starts = np.cumsum(counts) - counts
    return np.repeat(offsets - starts, counts) + np.arange(counts.sum())


@torch.no_grad()
def evaluate(agent: Agent) -> tuple[float, float]:
    """Mean return of the likeliest actions on held-out episodes, and its standard error."""
    envs = fleetstep.make_vec(
        args.scenario, args.eval_episodes, args.seed, data=args.data, split="validation", pairs=True
    )
    _, infos = envs.reset()
    returns = np.full(args.eval_episodes, np.nan)
    while np.isnan(returns).any():
        pairs = infos["pairs"]
        scores = agent.actor(torch.from_numpy(pairs.features)).squeeze(-1).numpy()
        best = [low + scores[low:high].argmax() for low, high in zip(pairs.offsets, pairs.offsets[1:])]
        infos = envs.step(pairs.actions[best])[4]
        if "episode" in infos:
            first = infos["_episode"] & np.isnan(returns)
            returns[first] = infos["episode"]["r"][first]
    envs.close()
    return float(returns.mean()), float(returns.std(ddof=1) / np.sqrt(len(returns)))


def rule() -> float:
    """Mean return of the rule on the same episodes, as the engine plays them."""
    command = [*fleetstep.engine_command(), "eval", "--policy", args.rule, "--scenario", args.scenario, "--json"]
    command += ["--episodes", str(args.eval_episodes), "--seed", str(args.seed)]
    if args.data is not None:
        command += ["--data", args.data]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return float(answer["meanReturn"])


torch.manual_seed(args.seed)
# The networks are small: threads that wait for each other cost more than they bring, and the engine has the other core.
torch.set_num_threads(1)
started = time.perf_counter()
n, T = args.num_envs, args.num_steps
envs = fleetstep.make_vec(
    args.scenario, n, args.seed, data=args.data, pairs=True, autoreset_mode=AutoresetMode.SAME_STEP
)
size = envs.single_observation_space.shape[0]
agent = Agent(len(envs.pair_columns), size)
optimizer = torch.optim.Adam(agent.parameters(), lr=args.learning_rate, eps=1e-5)
observation, infos = envs.reset()
finished: list[float] = []
iterations = max(1, args.total_timesteps // (n * T))

for iteration in range(1, iterations + 1):
    optimizer.param_groups[0]["lr"] = args.learning_rate * (1 - (iteration - 1) / iterations)
    observations = np.zeros((T, n, size), np.float32)
    values, logprobs, rewards, dones = (np.zeros((T, n), np.float32) for _ in range(4))
    chosen = np.zeros((T, n), np.int64)
    counts = np.zeros((T, n), np.int64)
    features: list[np.ndarray[Any, Any]] = []
    # What a cut episode would still have earned, where one was cut.
    cut = np.zeros((T, n), np.float32)

    with torch.no_grad():
        for t in range(T):
            pairs = infos["pairs"]
            observations[t] = observation
            counts[t] = np.diff(pairs.offsets)
            features.append(pairs.features)
            owner = owners(counts[t])
            log = agent.log_probabilities(torch.from_numpy(pairs.features), owner, n).numpy()
            # The greatest of log-probability + Gumbel noise is a draw from the distribution.
            noisy = log - np.log(-np.log(torch.rand(len(log)).clamp(1e-9, 1 - 1e-7).numpy()))
            row = np.array([low + noisy[low:high].argmax() for low, high in zip(pairs.offsets, pairs.offsets[1:])])
            chosen[t] = row - pairs.offsets[:-1]
            logprobs[t] = log[row]
            values[t] = agent.value(torch.from_numpy(observation)).numpy()
            observation, reward, terminated, truncated, infos = envs.step(pairs.actions[row])
            rewards[t] = reward * args.reward_scale
            dones[t] = terminated | truncated
            if "final_info" in infos:
                ended = infos["_final_info"]
                finished.extend(infos["final_info"]["episode"]["r"][ended])
                last = np.flatnonzero(truncated & ~terminated)
                if len(last) > 0:
                    final = torch.from_numpy(np.stack(list(infos["final_obs"][last])))
                    cut[t, last] = agent.value(final).numpy()
        next_value = agent.value(torch.from_numpy(observation)).numpy()

    # Generalised advantage estimation (Schulman et al. 2016, eq. 16).
    advantages = np.zeros((T, n), np.float32)
    running = np.zeros(n, np.float32)
    for t in reversed(range(T)):
        following = np.where(dones[t] > 0, cut[t], next_value if t == T - 1 else values[t + 1])
        delta = rewards[t] + args.gamma * following - values[t]
        running = delta + args.gamma * args.gae_lambda * (1 - dones[t]) * running
        advantages[t] = running
    returns = advantages + values

    flat = {
        "observations": torch.from_numpy(observations.reshape(T * n, size)),
        "logprobs": torch.from_numpy(logprobs.reshape(-1)),
        "advantages": torch.from_numpy(advantages.reshape(-1)),
        "returns": torch.from_numpy(returns.reshape(-1)),
    }
    count = counts.reshape(-1)
    offset = np.cumsum(count) - count
    row_features = torch.from_numpy(np.concatenate(features))
    choice = chosen.reshape(-1)
    kl = 0.0
    for _ in range(args.update_epochs):
        order = torch.randperm(T * n).numpy()
        for start in range(0, T * n, args.minibatch_size):
            batch = order[start : start + args.minibatch_size]
            rows = rows_of(offset[batch], count[batch])
            owner = owners(count[batch])
            log = agent.log_probabilities(row_features[torch.from_numpy(rows)], owner, len(batch))
            newlog = log[torch.from_numpy(np.cumsum(count[batch]) - count[batch] + choice[batch])]
            entropy = -(log.exp() * log).sum() / len(batch)
            advantage = flat["advantages"][batch]
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            logratio = newlog - flat["logprobs"][batch]
            ratio = logratio.exp()
            with torch.no_grad():
                kl = float(((ratio - 1) - logratio).mean())
            policy_loss = torch.max(
                -advantage * ratio, -advantage * ratio.clamp(1 - args.clip_coef, 1 + args.clip_coef)
            ).mean()
            value_loss = 0.5 * (agent.value(flat["observations"][batch]) - flat["returns"][batch]).square().mean()
            loss = policy_loss - args.ent_coef * entropy + args.vf_coef * value_loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), args.max_grad_norm)
            optimizer.step()

    if iteration % 10 == 0 or iteration == iterations:
        steps = iteration * n * T
        print(
            f"step {steps}  charts/episodic_return {np.mean(finished[-200:]):.0f}  "
            f"charts/SPS {steps / (time.perf_counter() - started):.0f}  losses/approx_kl {kl:.4f}",
            flush=True,
        )
envs.close()

seconds = time.perf_counter() - started
mean, error = evaluate(agent)
other = rule()
print(f"trained {iterations * n * T} steps in {seconds:.0f} s")
print(f"{args.eval_episodes} held-out episodes of {args.scenario}: ppo {mean:.0f} (standard error {error:.0f}), {args.rule} {other:.0f}")
