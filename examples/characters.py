"""Teach an LSTM, or a transformer, to write like a text, character by character.

    python examples/characters.py TEXT [--network lstm|transformer] [--steps 1000] [--write 300]

TEXT is a file, such as the works of Shakespeare. The text that is printed at the end begins with a line break.

A. Vaswani et al. (2017), "Attention is all you need"; the rotations of the positions are those of J. Su et al. (2021),
"RoFormer: enhanced transformer with rotary position embedding".
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cygrad as cg
from cygrad import nn
from cygrad.nn import functional as F

WIDTH, HEADS, LAYERS, LENGTH, BATCH = 128, 4, 4, 64, 12


class Recurrent(nn.Module):
    """Characters (n, t) to scores of the next ones (n, t, characters), with one state for all that came before."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, WIDTH)
        self.lstm = nn.LSTM(WIDTH, 2 * WIDTH, batch_first=True)
        self.output = nn.Linear(2 * WIDTH, characters)

    def forward(self, x: cg.Tensor) -> cg.Tensor:
        return self.output(self.lstm(self.embedding(x))[0])


def rotated(x: cg.Tensor, cos: cg.Tensor, sin: cg.Tensor) -> cg.Tensor:
    """Pairs of features as points of a plane, each turned by an angle that grows with its position."""
    a, b = x.chunk(2, -1)
    return cg.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Attention(nn.Module):
    """Each position looks at itself and those before it."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        pairs = WIDTH // HEADS // 2
        angles = cg.outer(cg.arange(LENGTH), 10_000.0 ** (-cg.arange(pairs) / pairs))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: cg.Tensor) -> cg.Tensor:
        n, t, _ = x.shape
        query, key, value = [part.view(n, t, HEADS, -1).transpose(1, 2) for part in self.inputs(x).chunk(3, -1)]
        query, key = [rotated(part, self.cos[:t], self.sin[:t]) for part in (query, key)]
        heads = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(heads.transpose(1, 2).reshape(n, t, WIDTH))


class Block(nn.Module):
    """x + attention(norm(x)), and then x + mlp(norm(x))."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: cg.Tensor) -> cg.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def transformer(characters: int) -> nn.Sequential:
    blocks = [Block() for _ in range(LAYERS)]
    return nn.Sequential(nn.Embedding(characters, WIDTH), *blocks, nn.LayerNorm(WIDTH), nn.Linear(WIDTH, characters))


def write(model: nn.Module, characters: str, length: int) -> str:
    """Draw one character after the other from what the model expects."""
    text = [characters.index("\n") if "\n" in characters else 0]
    with cg.no_grad():
        for _ in range(length):
            scores = model(cg.tensor([text[-LENGTH:]]))[0, -1]
            text.append(cg.multinomial((scores / 0.8).softmax(0), 1).item())
    return "".join([characters[i] for i in text])


def fit(text: str, network: str, steps: int) -> tuple[nn.Module, str, list[float]]:
    """The trained model, the characters that it knows, and the loss of every step."""
    cg.manual_seed(0)
    characters = "".join(sorted(set(text)))
    data = cg.tensor([characters.index(c) for c in text])
    model = Recurrent(len(characters)) if network == "lstm" else transformer(len(characters))
    optimizer = cg.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = cg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    offsets, losses = cg.arange(LENGTH + 1), []

    def step(batch: cg.Tensor) -> cg.Tensor:
        scores = model(batch[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), batch[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    for number in range(steps):
        starts = cg.randint(0, len(data) - LENGTH, (BATCH, 1))
        losses.append(step(data[starts + offsets]).item())
        schedule.step()
        if (number + 1) % 100 == 0:
            recent = losses[-100:]
            print(f"step {number + 1:5}  loss {sum(recent) / len(recent):.3f}", flush=True)
    return model, characters, losses


def main() -> None:
    parser = argparse.ArgumentParser(description="Teach a network to write like a text.")
    parser.add_argument("text", metavar="TEXT", type=Path, help="file with the text")
    parser.add_argument("--network", choices=["lstm", "transformer"], default="lstm", help="default: lstm")
    parser.add_argument("--steps", type=int, default=1000, help="steps of training (default: 1000)")
    parser.add_argument("--write", type=int, default=300, metavar="N", help="characters to write (default: 300)")
    options = parser.parse_args()
    text = options.text.read_text(encoding="utf-8")
    if len(text) <= LENGTH + 1:
        parser.error(f"the text must have more than {LENGTH + 1} characters, but {options.text} has {len(text)}")
    model, characters, _ = fit(text, options.network, options.steps)
    print(write(model, characters, options.write))


if __name__ == "__main__":
    main()
