"""Optimizers that programs bring along: some never call ``Optimizer.__init__``, hold another optimizer, set groups and
state by hand, or override what saves and loads them. Each case runs with both libraries, and what it logs is compared."""

from __future__ import annotations

import copy
import pickle
from collections import defaultdict

import pytest

import cygrad as cg
from tests.test_module_protocol import inputs, network, plain

torch = pytest.importorskip("torch")

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def train(net, optimizer, log, steps=3):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = net(inputs(net.lib)).square().sum()
        loss.backward()
        optimizer.step()
        log.append(loss)


def prepared(lib):
    net = network(lib)
    net.lib = lib
    return net


def lookahead(lib):
    """A wrapper that moves the weights every second step towards those of the inner optimizer."""

    class Lookahead(lib.optim.Optimizer):
        def __init__(self, optimizer):
            self.optimizer = optimizer
            self.name = self.update = self.numbers = "own"
            self.state = defaultdict(dict)
            self.defaults = {"alpha": 0.5, **optimizer.defaults}
            for group in self.param_groups:
                group["count"] = 0
                for p in group["params"]:
                    self.state[p]["slow"] = p.clone().detach()
            self.__setstate__({})

        @property
        def param_groups(self):
            return self.optimizer.param_groups

        def step(self, closure=None):
            loss = self.optimizer.step(closure)
            for group in self.param_groups:
                group["count"] += 1
                if group["count"] % 2 == 0:
                    for p in group["params"]:
                        slow = self.state[p]["slow"]
                        slow.add_(p.data - slow, alpha=self.defaults["alpha"])
                        p.data.copy_(slow)
            return loss

    return Lookahead


@case
def a_wrapper_without_init(lib, log):
    net = prepared(lib)
    optimizer = lookahead(lib)(lib.optim.Adam(net.parameters(), lr=0.1))
    schedule = lib.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    train(net, optimizer, log)
    schedule.step()
    train(net, optimizer, log)
    log += [optimizer.name, schedule.get_last_lr(), optimizer.param_groups[0]["lr"], list(net.parameters())]
    log += [list(optimizer.state_dict()), isinstance(optimizer, lib.optim.Optimizer)]


@case
def groups_and_state_set_by_hand(lib, log):
    class Plain(lib.optim.Optimizer):
        def __init__(self, params, rate):
            self.param_groups = [{"params": list(params), "lr": rate}]
            self.state, self.defaults = {}, {}
            self.__setstate__({})

        @lib.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    self.state.setdefault(p, {"steps": 0})["steps"] += 1
                    p.sub_(group["lr"] * p.grad)

    net = prepared(lib)
    optimizer = Plain(net.parameters(), 0.01)
    log.append([hasattr(optimizer, name) for name in ("defaults", "state", "param_groups", "momentum")])
    train(net, optimizer, log)
    log += [optimizer.state_dict()["state"], optimizer.state_dict()["param_groups"]]
    bare = lib.optim.Optimizer.__new__(lib.optim.Optimizer)
    log.append([hasattr(bare, name) for name in ("defaults", "state", "param_groups")])


@case
def options_of_its_own_range(lib, log):
    """Options with the names of PyTorch's that mean something else."""

    class Own(lib.optim.Optimizer):
        def __init__(self, params, **options):
            super().__init__(params, options)

        @lib.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(group["lr"] * p.grad * group["betas"][2])

    net = prepared(lib)
    optimizer = Own(net.parameters(), lr=-0.01, betas=(0.9, 0.999, 1.0), eps=None, weight_decay=-1, differentiable=True)
    train(net, optimizer, log)
    log.append(optimizer.param_groups[0]["betas"])


@case
def a_wrapper_that_forwards_attributes(lib, log):
    """Not an optimizer at all, but what trains with one."""

    class Warmup:
        def __init__(self, optimizer):
            self.optimizer, self.count = optimizer, 0

        def step(self):
            self.count += 1
            for group in self.optimizer.param_groups:
                group["lr"] = 0.01 * min(1.0, self.count / 4)
            self.optimizer.step()

        def __getattr__(self, name):
            return getattr(self.optimizer, name)

    net = prepared(lib)
    train(net, Warmup(lib.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)), log, 5)


@case
def old_states_get_new_options(lib, log):
    class Own(lib.optim.SGD):
        def __setstate__(self, state):
            super().__setstate__(state)
            for group in self.param_groups:
                group.setdefault("extra", 7)
            log.append(sorted(state))

    net = prepared(lib)
    optimizer = Own(net.parameters(), lr=0.01, momentum=0.5)
    train(net, optimizer, log, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        group.pop("extra", None)
    optimizer.load_state_dict(saved)
    log += [optimizer.param_groups[0]["extra"], optimizer._zero_grad_profile_name]
    train(net, optimizer, log, 2)


@case
def pickled_and_copied(lib, log):
    net = prepared(lib)
    optimizer = lib.optim.Adam(net.parameters(), lr=0.01)
    optimizer.register_step_post_hook(lambda *args: log.append("hook"))
    train(net, optimizer, log, 2)
    log.append(sorted(optimizer.__getstate__()))
    twin = pickle.loads(pickle.dumps(optimizer))
    log += [type(twin).__name__, twin.param_groups[0]["lr"], len(twin.state), twin.param_groups[0]["params"][0]]
    log += [[sorted(s) for s in twin.state.values()], twin.defaults["lr"]]
    other = copy.deepcopy(optimizer)
    other.param_groups[0]["params"][0].grad = lib.ones(3, 2)
    other.step()
    log += [other.param_groups[0]["params"][0], optimizer.param_groups[0]["params"][0]]


@case
def private_names_of_steps(lib, log):
    if lib is torch:
        from torch.optim import optimizer as names
    else:
        from cygrad.torch import optimizers as names

    class Own(lib.optim.Optimizer):
        def __init__(self, params, lr=names.required, differentiable=False):
            super().__init__(params, {"lr": lr, "differentiable": differentiable})

        @names._use_grad_for_differentiable
        def step(self, closure=None):
            log.append(lib.is_grad_enabled())
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(names._get_value(lib.tensor(0.01)) * p.grad)

        @lib.optim.Optimizer.profile_hook_step
        def twice(self):
            self.step()
            self.step()

    net = prepared(lib)
    optimizer = Own(net.parameters(), 0.1)
    train(net, optimizer, log)
    optimizer.twice()
    log += list(net.parameters())
    log += [names._default_to_fused_or_foreach(list(net.parameters()), False), names._to_scalar(2)]
    log += [names._get_value(3), names._stack_if_compiling([1]), names._params_doc is not None, names.ParamsT is not None]


@pytest.mark.parametrize("name", CASES)
def test_pytorch_does_the_same(name):
    logs = {}
    for lib in (torch, cg):
        logs[lib] = []
        CASES[name](lib, logs[lib])
    assert [repr(plain(item)) for item in logs[cg]] == [repr(plain(item)) for item in logs[torch]]
