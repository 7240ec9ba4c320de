import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Normal
from weights import reset

rng = np.random.RandomState(3)


class RolloutBuffer:
    def __init__(self):
        self.actions, self.states, self.logprobs, self.rewards, self.state_values = [], [], [], [], []

    def clear(self):
        for name in list(vars(self)):
            del getattr(self, name)[:]


class ActorCritic(nn.Module):
    def __init__(self, num_inputs, num_outputs, hidden_size, std=0.0):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(num_inputs, hidden_size), nn.Tanh(), nn.Linear(hidden_size, 1))
        self.actor = nn.Sequential(nn.Linear(num_inputs, hidden_size), nn.Tanh(), nn.Linear(hidden_size, num_outputs))
        self.log_std = nn.Parameter(torch.ones(1, num_outputs) * std)

    def act(self, state):
        mu = self.actor(state)
        dist = Normal(mu, self.log_std.exp().expand_as(mu))
        action = dist.mean + dist.stddev * torch.as_tensor(rng.randn(*mu.shape), dtype=mu.dtype)
        return action.detach(), dist.log_prob(action).sum(-1).detach(), self.critic(state).detach()

    def evaluate(self, state, action):
        mu = self.actor(state)
        dist = Normal(mu, self.log_std.exp().expand_as(mu))
        return dist.log_prob(action).sum(-1), self.critic(state).squeeze(-1), dist.entropy().sum(-1)


policy = reset(ActorCritic(3, 2, 16))
optimizer = torch.optim.Adam([
    {"params": policy.actor.parameters(), "lr": 3e-3},
    {"params": policy.critic.parameters(), "lr": 1e-2},
    {"params": [policy.log_std], "lr": 1e-3},
])
mse = nn.MSELoss()
buffer = RolloutBuffer()
for update in range(4):
    state = torch.FloatTensor(rng.randn(1, 3))
    for _ in range(64):
        action, logprob, value = policy.act(state)
        buffer.states.append(state)
        buffer.actions.append(action)
        buffer.logprobs.append(logprob)
        buffer.state_values.append(value)
        buffer.rewards.append(-(action - state[:, :2]).pow(2).sum().item())
        state = (0.9 * state + 0.3 * torch.FloatTensor(rng.randn(1, 3))).clamp(-3, 3)
    rewards, discounted = [], 0.0
    for reward in reversed(buffer.rewards):
        discounted = reward + 0.5 * discounted
        rewards.insert(0, discounted)
    rewards = torch.tensor(rewards, dtype=torch.float32)
    rewards = (rewards - rewards.mean()) / (rewards.std() + 1e-7)
    old_states = torch.squeeze(torch.stack(buffer.states, dim=0)).detach()
    old_actions = torch.squeeze(torch.stack(buffer.actions, dim=0)).detach()
    old_logprobs = torch.squeeze(torch.stack(buffer.logprobs, dim=0)).detach()
    advantages = rewards.detach() - torch.squeeze(torch.stack(buffer.state_values, dim=0))
    for _ in range(5):
        logprobs, state_values, dist_entropy = policy.evaluate(old_states, old_actions)
        ratios = torch.exp(logprobs - old_logprobs)
        surr1 = ratios * advantages
        surr2 = torch.clamp(ratios, 1 - 0.2, 1 + 0.2) * advantages
        loss = -torch.min(surr1, surr2) + 0.5 * mse(state_values, rewards) - 0.01 * dist_entropy
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    print("update", update, "return", sum(buffer.rewards) / 64, "loss", loss.mean().item(), "kl", (old_logprobs - logprobs).mean().item())
    buffer.clear()
print(policy.log_std)
