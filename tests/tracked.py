"""A short training for tests of trackers: eight steps per epoch."""

from __future__ import annotations

import numpy as np

import cygrad as cg

STEPS = 8


def batches(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((STEPS, 16, 4)).astype(np.float32)
    return [(cg.tensor(rows), cg.tensor((rows[:, 0] > 0).astype(np.int64))) for rows in x]


def trainer(*callbacks, model=None, **options):
    cg.manual_seed(0)
    model = cg.train.mlp((4, 8, 2), 0.1) if model is None else model
    optimizer = cg.optim.AdamW(model.parameters(), lr=0.01)
    options = {"metrics": ["accuracy"], "clip": 1.0, "progress": False, **options}
    return cg.train.Trainer(model, cg.nn.functional.cross_entropy, optimizer, callbacks=callbacks, **options)


def fit(*callbacks, epochs=3, **options):
    """Train for some epochs; return the trainer and its history."""
    fitted = trainer(*callbacks, **options)
    return fitted, fitted.fit(batches(), batches(1), epochs, resume=fitted.checkpoint is not None)


class Stop(cg.train.Callback):
    """Interrupt the training in a step."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer, metrics):
        if trainer.step == self.step:
            raise KeyboardInterrupt
