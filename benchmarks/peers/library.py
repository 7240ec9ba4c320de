"""The cases in PyTorch's API, which is cygrad's too: one source for both."""

from __future__ import annotations

import itertools
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.agreement import STEPS
from benchmarks.cases import AdamW, Case, ClipGradNorm, Inference, Kernel, Matmul, OpCall, TrainingStep
from benchmarks.inputs import DROPOUT, Array, Arrays, falling, inputs, learning_rate, network_names
from benchmarks.peers import Work

__all__ = ["Library"]

Wrapper = Callable[[Any], Any]


class Library:
    """cygrad or PyTorch.

    Args:
        module: the library.
        optimizers: sets of options for optimizers, of which the fastest is timed.
        clips: the same for clipping.
        compile_step: wraps a whole step.
        compile_loss: wraps the forward part of a step.
        compile_model: wraps a model in evaluation mode.
    """

    def __init__(
        self,
        module: Any,
        optimizers: tuple[dict[str, Any], ...] = ({},),
        clips: tuple[dict[str, Any], ...] = ({},),
        compile_step: Wrapper | None = None,
        compile_loss: Wrapper | None = None,
        compile_model: Wrapper | None = None,
    ) -> None:
        self.module, self.optimizers, self.clips = module, optimizers, clips
        self.compile_step, self.compile_loss, self.compile_model = compile_step, compile_loss, compile_model

    def build(self, case: Case, check: bool) -> Work | None:
        """Build the case; a compiler supports only what it compiles."""
        compiles_step = bool(self.compile_step or self.compile_loss)
        supported = {
            TrainingStep: True,
            Inference: bool(self.compile_model) or not compiles_step,
            Kernel: False,
        }.get(type(case), not compiles_step)
        if not supported:
            return None
        arrays = inputs(case)
        match case:
            case Matmul():
                return self.matmul(arrays)
            case OpCall():
                return self.op(case, arrays)
            case ClipGradNorm():
                return fastest([self.clip_grad_norm(case, arrays, options) for options in self.clips], check)
            case AdamW():
                return fastest([self.adamw(case, arrays, options) for options in self.optimizers], check)
            case TrainingStep():
                return self.step(case, arrays, check)
            case Inference():
                return self.inference(case, arrays)
            case Kernel():
                return None

    def tensor(self, array: Array) -> Any:
        return self.module.from_numpy(array)

    def leaf(self, array: Array) -> Any:
        return self.module.from_numpy(array.copy()).requires_grad_()

    def matmul(self, arrays: Arrays) -> Work:
        a, b, matmul = self.tensor(arrays["a"]), self.tensor(arrays["b"]), self.module.matmul
        return Work(lambda: matmul(a, b), lambda: {"c": matmul(a, b).numpy()})

    def op(self, case: OpCall, arrays: Arrays) -> Work:
        functional, columns = self.module.nn.functional, case.columns
        leaves = {"x": self.leaf(arrays["x"])}
        buffers: dict[str, Any] = {}
        if case.op.endswith("norm"):
            leaves |= {name: self.leaf(arrays[name]) for name in ("weight", "bias")}
        if case.op == "batch_norm":
            buffers = {"mean": self.module.zeros(columns), "var": self.module.ones(columns)}
        x, weight, bias = (leaves.get(name) for name in ("x", "weight", "bias"))
        mean, var = (buffers.get(name) for name in ("mean", "var"))
        dy, params = self.tensor(arrays["dy"]), list(leaves.values())
        forward: Callable[[], Any] = {
            "relu": lambda: functional.relu(x),
            "gelu": lambda: functional.gelu(x),
            "softmax": lambda: functional.softmax(x, -1),
            "dropout": lambda: functional.dropout(x, DROPOUT),
            "layer_norm": lambda: functional.layer_norm(x, (columns,), weight, bias),
            "batch_norm": lambda: functional.batch_norm(x, mean, var, weight, bias, training=True),
        }[case.op]

        def call() -> Any:
            for p in params:
                p.grad = None
            y = forward()
            y.backward(dy)
            return y

        def results() -> Arrays:
            y = call().detach().numpy()
            gradients = {f"d{name}": leaf.grad.numpy() for name, leaf in leaves.items()}
            return {"y": y, **gradients, **{name: b.numpy() for name, b in buffers.items()}}

        return Work(call, results)

    def clip_grad_norm(self, case: ClipGradNorm, arrays: Arrays, options: dict[str, Any]) -> Work:
        params = [self.leaf(arrays[f"gradient{i}"]) for i in range(case.count)]
        for p in params:
            p.grad = p.detach().clone()
        clip = self.module.nn.utils.clip_grad_norm_
        bound = falling(float(np.sqrt(case.count * case.side**2)))

        def results() -> Arrays:
            norm = clip(params, 1.0, **options)
            clipped = {f"clipped{i}": p.grad.numpy() for i, p in enumerate(params)}
            return {"norm": np.array(norm.item()), **clipped}

        return Work(lambda: clip(params, bound(), **options), results)

    def adamw(self, case: AdamW, arrays: Arrays, options: dict[str, Any]) -> Work:
        params = [self.leaf(arrays[f"parameter{i}"]) for i in range(case.count)]
        for i, p in enumerate(params):
            p.grad = self.tensor(arrays[f"gradient{i}"])
        update = self.module.optim.AdamW(params, lr=1e-3, weight_decay=0.01, **options).step

        def results() -> Arrays:
            for _ in range(STEPS):
                update()
            return {f"parameter{i}": p.detach().numpy() for i, p in enumerate(params)}

        return Work(update, results)

    def network(self, case: TrainingStep | Inference, arrays: Arrays, dropout: float) -> Any:
        nn, layers = self.module.nn, []
        for fan_in, fan_out in itertools.pairwise(case.sizes[:-1]):
            layers.append(nn.Linear(fan_in, fan_out))
            if case.norm:
                layers.append(nn.BatchNorm1d(fan_out))
            layers.append(nn.ReLU())
            if dropout:
                layers.append(nn.Dropout(dropout))
        model = nn.Sequential(*layers, nn.Linear(*case.sizes[-2:]))
        with self.module.no_grad():
            for p, name in zip(model.parameters(), network_names(case), strict=True):
                p.copy_(self.tensor(arrays[name]))
        return model

    def step(self, case: TrainingStep, arrays: Arrays, check: bool) -> Work:
        model = self.network(case, arrays, 0.0 if check else case.dropout)
        params = list(model.parameters())
        optimizer = getattr(self.module.optim, case.optimizer)(params, lr=learning_rate(check), **self.optimizers[0])
        loss_function = getattr(self.module.nn.functional, case.loss)
        clip = self.module.nn.utils.clip_grad_norm_
        x, y = self.tensor(arrays["x"]), self.tensor(arrays["y"])

        def loss_of(x: Any, y: Any) -> Any:
            return loss_function(model(x), y)

        if self.compile_loss:
            loss_of = self.compile_loss(loss_of)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = loss_of(x, y)
            loss.backward()
            if case.clip is not None:
                clip(params, case.clip)
            optimizer.step()
            return loss

        if self.compile_step:
            step = self.compile_step(step)

        def results() -> Arrays:
            losses = np.array([step(x, y).item() for _ in range(STEPS)])
            learned = zip(network_names(case), params, strict=True)
            return {"losses": losses, **{name: p.detach().numpy() for name, p in learned}}

        return Work(lambda: step(x, y), results)

    def inference(self, case: Inference, arrays: Arrays) -> Work:
        model = self.network(case, arrays, 0.0).eval().requires_grad_(False)
        predict = self.compile_model(model) if self.compile_model else model
        x = self.tensor(arrays["x"])

        def results() -> Arrays:
            for _ in range(STEPS - 1):  # a compiler may record during the first calls
                predict(x)
            return {"y": predict(x).numpy()}

        return Work(lambda: predict(x), results)


def fastest(works: list[Work], check: bool) -> Work:
    """The fastest of several ways to do the same; the first one for a check."""
    if check or len(works) == 1:
        return works[0]
    return min(works, key=lambda work: min(timeit.repeat(work.call, number=1, repeat=5)))
