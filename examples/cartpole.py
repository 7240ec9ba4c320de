"""Train a policy to balance a pole, with a compiled and an eager training step, and print both times.

    python examples/cartpole.py [--seeds 10] [--updates 40]

The cart-pole is that of A. G. Barto, R. S. Sutton, C. W. Anderson (1983), "Neuronlike adaptive elements that can solve
difficult learning control problems", with the constants of Gymnasium's CartPole-v1. The policy is trained by proximal
policy optimization (J. Schulman et al., 2017, "Proximal policy optimization algorithms"), with the advantages of
J. Schulman et al. (2016), "High-dimensional continuous control using generalized advantage estimation".
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import cygrad as cg
from cygrad import nn
from cygrad.nn import functional as F

GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5  # m/s², kg, kg, m
FORCE, SECONDS = 10.0, 0.02  # N, s
MAX_POSITION, MAX_ANGLE, MAX_STEPS = 2.4, 12 * np.pi / 180, 500  # m, rad, steps

CARTS, STEPS = 16, 128  # carts in parallel, steps between two updates
BATCH, EPOCHS, RATE = 64, 8, 1e-3
DISCOUNT, TRACE, CLIP = 0.99, 0.95, 0.2  # γ, λ and ε of the papers


class CartPoles:
    """Carts in parallel, each with a pole. `restart` resets those whose episode is over: fallen, or after 500 steps."""

    def __init__(self, carts: int, random: np.random.Generator) -> None:
        self.random = random
        self.state = self.initial_states(carts)
        self.age = np.zeros(carts, np.int64)

    def initial_states(self, carts: int) -> np.ndarray:
        """Position, velocity, angle and angular velocity of each cart, near zero."""
        return self.random.uniform(-0.05, 0.05, (carts, 4))

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Push each cart to the left (0) or right (1).

        Returns which carts fell and which reached the time limit. The reward is 1 for every step.
        """
        _, velocity, angle, spin = self.state.T
        sine, cosine = np.sin(angle), np.cos(angle)
        push = (np.where(actions == 1, FORCE, -FORCE) + POLE * HALF_LENGTH * spin**2 * sine) / (CART + POLE)
        turn = (GRAVITY * sine - cosine * push) / (HALF_LENGTH * (4 / 3 - POLE * cosine**2 / (CART + POLE)))
        drive = push - POLE * HALF_LENGTH * turn * cosine / (CART + POLE)
        self.state = self.state + SECONDS * np.stack([velocity, drive, spin, turn], 1)
        self.age += 1
        terminated = (abs(self.state[:, 0]) > MAX_POSITION) | (abs(self.state[:, 2]) > MAX_ANGLE)
        truncated = ~terminated & (self.age >= MAX_STEPS)
        return terminated, truncated

    def restart(self, which: np.ndarray) -> None:
        """Reset these carts."""
        self.state[which] = self.initial_states(int(which.sum()))
        self.age[which] = 0


class Learner:
    """A policy and a value function, and their training."""

    def __init__(self, seed: int, compiled: bool) -> None:
        cg.manual_seed(seed)
        self.random = np.random.default_rng(seed)
        self.policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
        self.value = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        self.params = [*self.policy.parameters(), *self.value.parameters()]
        self.optimizer = cg.optim.Adam(self.params, lr=RATE)
        self.compiled = compiled
        self.learn = cg.compile(self.update, fullgraph=True) if compiled else self.update
        self.evaluate = cg.compile(self.forward, fullgraph=True) if compiled else self.forward

    def forward(self, states: cg.Tensor) -> tuple[cg.Tensor, cg.Tensor]:
        """The scores of both actions and the value of each state."""
        return self.policy(states), self.value(states)

    def update(
        self,
        states: cg.Tensor,
        actions: cg.Tensor,
        old_loss: cg.Tensor,
        advantage: cg.Tensor,
        bound: cg.Tensor,
        returns: cg.Tensor,
    ) -> cg.Tensor:
        """One step of the optimizer.

        The gain A·(π/π_old − 1) counts up to the bound ε·|A|, which is the paper's clipped objective minus A.
        `old_loss` is −log π_old.
        """
        self.optimizer.zero_grad()
        gain = advantage * ((old_loss - F.cross_entropy(self.policy(states), actions, reduction="none")).exp() - 1)
        clipped = gain - F.relu(gain - bound)
        loss = 0.5 * F.mse_loss(self.value(states), returns) - clipped.mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.params, 0.5)
        self.optimizer.step()
        return loss

    def scores_and_values(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with cg.no_grad():
            scores, values = self.evaluate(cg.tensor(state, dtype=cg.float32))
        return scores.numpy(), values.numpy()[:, 0]

    def collect(self, carts: CartPoles) -> list[cg.Tensor]:
        """Run the policy: states, actions, −log π, advantages, bounds of the gain, and returns, of every step."""
        shape = STEPS, len(carts.state)
        states = np.empty((*shape, 4), np.float32)
        actions, over = np.empty(shape, np.int64), np.empty(shape, bool)
        losses, rewards, values = (np.empty(shape, np.float32) for _ in range(3))
        for t in range(STEPS):
            states[t] = carts.state
            scores, values[t] = self.scores_and_values(carts.state)
            right = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))  # probability of a push to the right
            actions[t] = self.random.random(shape[1]) < right
            losses[t] = -np.log(np.where(actions[t] == 1, right, 1 - right))
            terminated, truncated = carts.step(actions[t])
            over[t] = terminated | truncated
            rewards[t] = 1
            if truncated.any():  # add the value of the steps that were cut off
                rewards[t] += DISCOUNT * self.scores_and_values(carts.state)[1] * truncated
            carts.restart(over[t])
        advantage = advantages(rewards, values, self.scores_and_values(carts.state)[1], over)
        returns = (advantage + values)[..., None]
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        data = states, actions, losses, advantage, CLIP * abs(advantage), returns
        return [cg.tensor(array.reshape(-1, *array.shape[2:])) for array in data]

    def train(self, updates: int) -> None:
        """Alternate collecting steps and learning from them, with a learning rate that falls to zero."""
        carts = CartPoles(CARTS, self.random)
        for number in range(updates):
            self.optimizer.param_groups[0]["lr"] = RATE * (1 - number / updates)
            data = self.collect(carts)
            for _ in range(EPOCHS):
                order = cg.randperm(CARTS * STEPS)
                if self.compiled:
                    self.learn.epoch(*data, batch_size=BATCH, order=order)
                else:
                    for rows in order.split(BATCH):
                        self.learn(*[array[rows] for array in data])

    def average_return(self, episodes: int = 100) -> float:
        """The mean length of episodes (at most 500) in which the action with the higher score is always taken."""
        carts = CartPoles(episodes, self.random)
        active = np.ones(episodes, bool)
        lengths = np.zeros(episodes)
        while active.any():
            scores, _ = self.scores_and_values(carts.state)
            lengths += active
            terminated, truncated = carts.step(scores.argmax(1))
            active &= ~(terminated | truncated)
        return float(lengths.mean())


def advantages(rewards: np.ndarray, values: np.ndarray, last: np.ndarray, over: np.ndarray) -> np.ndarray:
    """A_t = δ_t + γλ·A_{t+1}, δ_t = r_t + γ·V_{t+1} − V_t; an episode that is over has no next step."""
    result, following, advantage = np.empty_like(values), last, np.zeros_like(last)
    for t in reversed(range(len(values))):
        continues = ~over[t]
        advantage = rewards[t] + DISCOUNT * continues * following - values[t] + DISCOUNT * TRACE * continues * advantage
        result[t], following = advantage, values[t]
    return result


def run(seed: int, compiled: bool, updates: int) -> tuple[float, float]:
    """(average return over 100 episodes, seconds of training)"""
    learner = Learner(seed, compiled)
    begin = time.perf_counter()
    learner.train(updates)
    seconds = time.perf_counter() - begin
    return learner.average_return(), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a policy to balance a pole.")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, starting at 0 (default: 1)")
    parser.add_argument("--updates", type=int, default=40, help=f"each after {CARTS * STEPS} steps (default: 40)")
    options = parser.parse_args()
    for seed in range(options.seeds):
        (reached, seconds), (same, eager_seconds) = [run(seed, compiled, options.updates) for compiled in (True, False)]
        print(
            f"seed {seed}: average return {reached:.1f} over 100 episodes after {seconds:.2f} s compiled; "
            f"{same:.1f} after {eager_seconds:.2f} s eager, {eager_seconds / seconds:.1f} times as long",
            flush=True,
        )


if __name__ == "__main__":
    main()
