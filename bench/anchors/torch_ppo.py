"""PyTorch's side of bench/train.ts: PPO in the manner of CleanRL, on an environment that costs nothing.

A line on stdin is a setting (see PpoSetting in bench/torch.ts) with "threads". The answer is {"steps": n, "seconds": s} of one iteration:
acting in all environments with observations, legal pairs and rewards that lie ready in memory, advantages, and all epochs of updates.
Every sample has the same number of legal pairs, so that nothing is lost by padding.
"""

import json
import sys
import time

import torch
from torch.distributions import Categorical


def chain(widths):
    layers = []
    for k in range(len(widths) - 1):
        layers.append(torch.nn.Linear(widths[k], widths[k + 1]))
        if k < len(widths) - 2:
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers)


class Ppo:
    def __init__(self, s):
        torch.manual_seed(1)
        t, n = s["steps"], s["envs"]
        self.setting = s
        self.actor = chain([s["pairColumns"], *s["hidden"], 1])
        self.critic = chain([s["inputs"], *s["criticHidden"], 1])
        self.parameters = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, lr=1e-4, eps=1e-5)
        self.next_obs = torch.randn(t + 1, n, s["inputs"])
        self.next_pairs = torch.randn(t + 1, n, s["pairs"], s["pairColumns"])
        self.next_rewards = torch.randn(t, n)
        self.next_dones = (torch.rand(t, n) < 0.01).float()
        self.obs = torch.zeros(t, n, s["inputs"])
        self.pairs = torch.zeros(t, n, s["pairs"], s["pairColumns"])
        self.actions = torch.zeros(t, n, dtype=torch.long)
        self.log_probs = torch.zeros(t, n)
        self.rewards = torch.zeros(t, n)
        self.values = torch.zeros(t, n)

    def iteration(self):
        s = self.setting
        t, n = s["steps"], s["envs"]
        with torch.no_grad():
            for step in range(t):
                obs, pairs = self.next_obs[step], self.next_pairs[step]
                policy = Categorical(logits=self.actor(pairs).squeeze(-1))
                action = policy.sample()
                self.obs[step] = obs
                self.pairs[step] = pairs
                self.actions[step] = action
                self.log_probs[step] = policy.log_prob(action)
                self.values[step] = self.critic(obs).squeeze(-1)
                self.rewards[step] = self.next_rewards[step]
            following = self.critic(self.next_obs[t]).squeeze(-1)
            advantages = torch.zeros(t, n)
            last = torch.zeros(n)
            for step in reversed(range(t)):
                goes_on = 1 - self.next_dones[step]
                delta = self.rewards[step] + 0.99 * following * goes_on - self.values[step]
                last = delta + 0.99 * 0.95 * goes_on * last
                advantages[step] = last
                following = self.values[step]
            returns = (advantages + self.values).flatten()
        obs, pairs = self.obs.flatten(0, 1), self.pairs.flatten(0, 1)
        actions, old, advantages = self.actions.flatten(), self.log_probs.flatten(), advantages.flatten()
        size = s["minibatch"]
        for _ in range(s["epochs"]):
            order = torch.randperm(t * n)
            for first in range(0, t * n - size + 1, size):
                at = order[first : first + size]
                policy = Categorical(logits=self.actor(pairs[at]).squeeze(-1))
                ratio = (policy.log_prob(actions[at]) - old[at]).exp()
                advantage = advantages[at]
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                surrogate = torch.min(advantage * ratio, advantage * ratio.clamp(0.8, 1.2)).mean()
                value_loss = 0.5 * ((self.critic(obs[at]).squeeze(-1) - returns[at]) ** 2).mean()
                loss = -surrogate + 0.5 * value_loss - 0.01 * policy.entropy().mean()
                self.optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.parameters, 0.5)
                self.optimiser.step()
        return t * n


print(json.dumps({"version": torch.__version__}), flush=True)
made = {}
for line in sys.stdin:
    setting = json.loads(line)
    torch.set_num_threads(setting.pop("threads"))
    key = json.dumps(setting)
    if key not in made:
        made[key] = Ppo(setting)
    started = time.perf_counter()
    steps = made[key].iteration()
    print(json.dumps({"steps": steps, "seconds": time.perf_counter() - started}), flush=True)
