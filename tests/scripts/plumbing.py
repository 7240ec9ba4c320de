"""What scripts need beside mathematics: trees, whole modules and arrays in files, markers of compilers, wrappers for several devices."""

import io
import math
import warnings
from collections import OrderedDict

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import nn as dist_nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree
from weights import reset

warnings.simplefilter("ignore")  # TorchScript is deprecated


@torch.jit.script
def gelu(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


@torch.jit.ignore
def halved(x):
    return x / 2


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)]), nn.ModuleList([nn.Linear(4, 4), None])])
        self.scales = nn.ParameterList([torch.ones(4), nn.ParameterList([torch.full((4,), 0.5)]), 2.0])

    def forward(self, x):
        for linear, norm in self.layers:
            x = gelu(linear(x))
            x = norm(x) if norm is not None else x
        return halved(x * self.scales[0] + self.scales[1][0] * self.scales[2])


class Solve(torch.autograd.Function):
    """Implicit differentiation, whose backward asks for gradients of the parameters that it saved."""

    @staticmethod
    def forward(ctx, function, x, *parameters):
        with torch.no_grad():
            for _ in range(20):
                x = function(x)
        ctx.function = function
        ctx.save_for_backward(x, *parameters)
        return x

    @staticmethod
    def backward(ctx, upstream):
        x, *parameters = ctx.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = ctx.function(x)
            grads = torch.autograd.grad(y, [x, *parameters], upstream, allow_unused=True)
        return None, *grads


model = nn.DataParallel(reset(Blocks()))
x = torch.linspace(-1, 1, 12).reshape(3, 4)
loss = model(x).square().sum() + model.module(x).sum()
loss.backward()
print(f"{loss.item():.5f}", list(model.state_dict()), [f"{p.grad.sum().item():.4f}" for p in model.parameters()])
print(dist.is_available() and dist.is_initialized(), torch.is_complex(x), torch.is_conj(x), torch.resolve_conj(x).shape == x.shape, torch.jit.is_scripting(), callable(dist_nn.all_reduce))

map_ = reset(nn.Linear(4, 4))
with torch.no_grad():
    map_.weight *= 0.3
Solve.apply(lambda x: torch.tanh(map_(x)), x, *map_.parameters()).sum().backward()
print([f"{p.grad.norm().item():.4f}" for p in map_.parameters()], f"{torch.spmm(x.t(), x).norm().item():.4f}")

batch = OrderedDict(images=x, labels=(torch.arange(3), [x[0], 3]))
leaves, spec = pytree.tree_flatten(batch)
doubled = pytree.tree_map_only(torch.Tensor, lambda t: t * 2, batch)
print(len(leaves), spec.num_leaves, f"{doubled['images'].norm().item():.4f}", doubled["labels"][1][1], type(pytree.tree_unflatten(leaves, spec)).__name__)

with sdpa_kernel([SDPBackend.MATH]):
    print(f"{torch.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None]).sum().item():.4f}")

file = io.BytesIO()
torch.save(nn.Sequential(map_, nn.Tanh()), file)
file.seek(0)
print(f"{torch.load(file, weights_only=False)(x).sum().item():.5f}")
file = io.BytesIO()
torch.save({"history": np.linspace(0, 1, 5), "best": np.float64(0.25), "names": np.array(["a", "bc"]), "order": np.arange(6).reshape(2, 3).T}, file)
file.seek(0)
state = torch.load(file, weights_only=False)
print(state["history"].sum(), state["best"], state["names"].tolist(), state["order"].tolist(), type(state["history"]).__name__)

try:
    Solve.apply(lambda x: x.no_such_method(), x, *map_.parameters())
except AttributeError as error:
    print("no_such_method" in str(error))
