"""Train a policy that balances a pole, with the training step compiled and in eager mode, and print both times.

    python examples/cartpole.py [--seeds 10] [--updates 40]

The cart-pole is that of A. G. Barto, R. S. Sutton, C. W. Anderson (1983), "Neuronlike adaptive elements that can solve
difficult learning control problems", with the constants of Gymnasium's CartPole-v1. The policy learns by proximal
policy optimization: J. Schulman et al. (2017), "Proximal policy optimization algorithms", with the advantages of
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

CARTS, STEPS = 16, 128  # in parallel, between two updates
BATCH, EPOCHS, RATE = 64, 8, 1e-3
DISCOUNT, TRACE, CLIP = 0.99, 0.95, 0.2  # γ, λ and ε of the papers


class CartPoles:
    """Parallel carts, each with a pole on it. An episode ends when the pole falls, or after 500 steps."""

    def __init__(self, carts: int, random: np.random.Generator) -> None:
        self.random = random
        self.state = self.initial_states(carts)
        self.age = np.zeros(carts, np.int64)

    def initial_states(self, carts: int) -> np.ndarray:
        """Position, velocity, angle and angular velocity of each, near zero."""
        return self.random.uniform(-0.05, 0.05, (carts, 4))

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Push each cart to the left (0) or right (1). Returns which poles fell, and which carts reached 500 steps; the
        reward is 1 for each step."""
        _, velocity, angle, spin = self.state.T
        sine, cosine = np.sin(angle), np.cos(angle)
        push = (np.where(actions == 1, FORCE, -FORCE) + POLE * HALF_LENGTH * spin**2 * sine) / (CART + POLE)
        turn = (GRAVITY * sine - cosine * push) / (HALF_LENGTH * (4 / 3 - POLE * cosine**2 / (CART + POLE)))
        drive = push - POLE * HALF_LENGTH * turn * cosine / (CART + POLE)
        self.state = self.state + SECONDS * np.stack([velocity, drive, spin, turn], 1)
        self.age += 1
        fell = (abs(self.state[:, 0]) > MAX_POSITION) | (abs(self.state[:, 2]) > MAX_ANGLE)
        ended = ~fell & (self.age >= MAX_STEPS)
        return fell, ended

    def restart(self, which: np.ndarray) -> None:
        """Start new episodes for some carts."""
        self.state[which] = self.initial_states(int(which.sum()))
        self.age[which] = 0


class Learner:
    """A policy, a value function, and how both are trained."""

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
        """The logits of both actions, and the value, of each state."""
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
        """One step of the optimizer. The gain A·(π/π_old − 1) is limited to the bound ε·|A|: this is the objective with
        the clipped ratio, minus A. `old_loss` is −log π_old."""
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
        """Run the policy: states, actions, their −log π_old, advantages and bounds, and returns."""
        shape = STEPS, len(carts.state)
        states = np.empty((*shape, 4), np.float32)
        actions, done = np.empty(shape, np.int64), np.empty(shape, bool)
        old_loss, rewards, values = (np.empty(shape, np.float32) for _ in range(3))
        for t in range(STEPS):
            states[t] = carts.state
            scores, values[t] = self.scores_and_values(carts.state)
            chance = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))  # of a push to the right
            actions[t] = self.random.random(shape[1]) < chance
            old_loss[t] = -np.log(np.where(actions[t] == 1, chance, 1 - chance))
            fell, ended = carts.step(actions[t])
            done[t] = fell | ended
            rewards[t] = 1
            if ended.any():  # the value of the state that would have followed
                rewards[t] += DISCOUNT * self.scores_and_values(carts.state)[1] * ended
            carts.restart(done[t])
        advantage = advantages(rewards, values, self.scores_and_values(carts.state)[1], done)
        returns = (advantage + values)[..., None]
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        data = states, actions, old_loss, advantage, CLIP * abs(advantage), returns
        return [cg.tensor(array.reshape(-1, *array.shape[2:])) for array in data]

    def train(self, updates: int) -> None:
        """Alternate between collecting and learning, with a learning rate that decays to zero."""
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
        """The mean length of episodes with the more likely action in every step, at most 500."""
        carts = CartPoles(episodes, self.random)
        standing = np.ones(episodes, bool)
        lengths = np.zeros(episodes)
        while standing.any():
            scores, _ = self.scores_and_values(carts.state)
            lengths += standing
            fell, ended = carts.step(scores.argmax(1))
            standing &= ~(fell | ended)
        return float(lengths.mean())


def advantages(rewards: np.ndarray, values: np.ndarray, last: np.ndarray, done: np.ndarray) -> np.ndarray:
    """A_t = δ_t + γλ·A_{t+1}, δ_t = r_t + γ·V_{t+1} − V_t; V_{t+1} and A_{t+1} are 0 after the end of an episode."""
    result, following, advantage = np.empty_like(values), last, np.zeros_like(last)
    for t in reversed(range(len(values))):
        continues = ~done[t]
        advantage = rewards[t] + DISCOUNT * continues * following - values[t] + DISCOUNT * TRACE * continues * advantage
        result[t], following = advantage, values[t]
    return result


def run(seed: int, compiled: bool, updates: int) -> tuple[float, float]:
    """(average return over 100 episodes, seconds of training)"""
    learner = Learner(seed, compiled)
    start = time.perf_counter()
    learner.train(updates)
    seconds = time.perf_counter() - start
    return learner.average_return(), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a policy that balances a pole.")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds, from 0")
    parser.add_argument("--updates", type=int, default=40, help=f"number of updates, each after {CARTS * STEPS} steps")
    options = parser.parse_args()
    for seed in range(options.seeds):
        (reached, seconds), (same, eager_seconds) = [run(seed, compiled, options.updates) for compiled in (True, False)]
        print(
            f"seed {seed}: an average return of {reached:.1f} over 100 episodes after {seconds:.2f} s compiled; "
            f"{same:.1f} after {eager_seconds:.2f} s in eager mode, {eager_seconds / seconds:.1f} times as long",
            flush=True,
        )


if __name__ == "__main__":
    main()
