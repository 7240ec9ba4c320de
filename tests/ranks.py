"""What test_distributed.py runs on several ranks: each function named check_* must pass on all of them.

``mpiexec -n 3 python tests/ranks.py`` prints one line of JSON: for each check what was wrong on which rank.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings

import numpy as np

import cygrad as cg
import cygrad.distributed as dist
from cygrad import nn
from cygrad.cores import usable_cores
from cygrad.nn.parallel import DistributedDataParallel

F = nn.functional
warnings.simplefilter("error")


def raises(kind, text, function):
    try:
        function()
    except kind as error:
        assert text in str(error), str(error)
    else:
        raise AssertionError(f"no {kind.__name__}: {text}")


def same_on_all(value):
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    assert all(v == values[0] for v in values), values


# Collective operations


def check_reductions_in_place(rank, size):
    numbers = np.arange(1, size + 1)
    for op, wanted in {
        "SUM": numbers.sum(),
        "AVG": numbers.mean(),
        "PRODUCT": numbers.prod(),
        "MIN": 1,
        "MAX": size,
    }.items():
        for layout in (
            cg.full((2, 3), rank + 1.0),
            cg.full((3, 2), rank + 1.0).t(),
            cg.full((), rank + 1.0, dtype=cg.float64),
        ):
            version = layout._version
            dist.all_reduce(layout, op)
            np.testing.assert_allclose(layout.array, wanted)
            assert layout._version > version
    bits = cg.tensor([1 << rank, 3])
    dist.all_reduce(bits, dist.ReduceOp.BOR)
    assert bits.tolist() == [(1 << size) - 1, 3]
    flags = cg.tensor([rank == 0, True])
    dist.all_reduce(flags, dist.ReduceOp.MIN)
    assert flags.tolist() == [size == 1, True]
    raises(TypeError, "AVG is not defined for int64", lambda: dist.all_reduce(bits, dist.ReduceOp.AVG))
    raises(ValueError, "op must be one of", lambda: dist.all_reduce(bits, "sum"))
    raises(TypeError, "tensor must be a tensor, got ndarray", lambda: dist.all_reduce(np.ones(2)))


def check_what_goes_from_rank_to_rank(rank, size):
    own = cg.tensor([float(rank), -1.0])
    everyone = [cg.zeros(2) for _ in range(size)]
    dist.all_gather(everyone, own)
    assert [t.tolist() for t in everyone] == [[float(r), -1.0] for r in range(size)]
    whole = cg.zeros(size, 2)
    dist.all_gather_into_tensor(whole, own)
    assert whole[:, 0].tolist() == list(range(size))
    part, total = cg.zeros(2), cg.arange(2 * size).float()
    dist.reduce_scatter_tensor(part, total)
    assert part.tolist() == [size * 2.0 * rank, size * (2.0 * rank + 1)]
    dist.reduce_scatter(part, list(total.reshape(size, 2)), dist.ReduceOp.AVG)
    assert part.tolist() == [2.0 * rank, 2.0 * rank + 1]
    last = size - 1
    at_last = [cg.zeros(2) for _ in range(size)] if rank == last else None
    dist.gather(own, at_last, last)
    assert at_last is None or [t[0].item() for t in at_last] == list(range(size))
    dist.scatter(part, list(cg.arange(2 * size).float().reshape(size, 2)) if rank == last else None, last)
    assert part.tolist() == [2.0 * rank, 2.0 * rank + 1]
    dist.reduce(own, last)
    assert own.tolist() == ([sum(range(size)), -float(size)] if rank == last else [float(rank), -1.0])
    copied = cg.full((2, 2), rank, dtype=cg.float16).t()
    dist.broadcast(copied, last)
    assert (copied == last).all()
    received = cg.zeros(size, dtype=cg.int64)
    dist.all_to_all_single(received, cg.arange(size) + 10 * rank)
    assert received.tolist() == [10 * r + rank for r in range(size)]
    raises(ValueError, f"a tensor for each of {size} ranks", lambda: dist.all_gather([], own))


def check_messages(rank, size):
    box = cg.zeros(2)
    work = dist.isend(cg.tensor([float(rank), 1.0]), (rank + 1) % size, tag=3)
    assert dist.recv(box, (rank - 1) % size, tag=3) == (rank - 1) % size and box[0].item() == (rank - 1) % size
    assert work.wait() and work.is_completed()
    dist.barrier()
    work = dist.isend(box, (rank + 1) % size)
    assert dist.recv(box) == (rank - 1) % size
    work.wait()
    raises(ValueError, "must not be this one", lambda: dist.send(box, rank))
    raises(ValueError, "rank must be one of", lambda: dist.broadcast(box, size))


def check_objects(rank, size):
    names = [None] * size
    dist.all_gather_object(names, "x" * 10**rank)
    assert [len(name) for name in names] == [10**r for r in range(size)]
    shared = [{"a": rank}, None]
    dist.broadcast_object_list(shared, 1)
    assert shared == [{"a": 1}, None]
    mine = [None]
    dist.scatter_object_list(mine, [str(r) for r in range(size)] if rank == 0 else None)
    assert mine == [str(rank)]


def check_groups(rank, size):
    pair = dist.new_group([0, 2])
    x = cg.tensor([float(rank)])
    if rank == 1:
        assert pair is dist.GroupMember.NON_GROUP_MEMBER and dist.get_rank(pair) == -1
        raises(ValueError, "not a member", lambda: dist.all_reduce(x, group=pair))
        return
    dist.all_reduce(x, group=pair)
    assert x.item() == 2 and dist.get_rank(pair) == rank // 2 and dist.get_process_group_ranks(pair) == [0, 2]
    dist.broadcast(x, 2, group=pair)
    dist.destroy_process_group(pair)


def check_gradients_of_collectives(rank, size):
    x = cg.tensor([1.0 + rank], requires_grad=True)
    (dist.nn.all_reduce(x * x) * (rank + 1)).sum().backward()
    assert x.grad.item() == 2 * (1 + rank) * sum(range(1, size + 1))
    x.grad = None
    sum((part * (r + 1)).sum() for r, part in enumerate(dist.nn.all_gather(x))).backward()
    assert x.grad.item() == size * (rank + 1)


def check_operations_in_recorded_steps(rank, size):
    calls = []

    @cg.compile(fullgraph=True)
    def step(x):
        total = x.sum(0)
        work = dist.all_reduce(total, async_op=True)
        square = x * x
        work.wait()
        return total, dist.nn.all_reduce(square)

    for i in range(5):
        x = cg.full((2, 2), float(rank + i))
        total, squares = step(x)
        calls.append((total[0].item(), squares[0, 0].item()))
    assert calls == [(2 * sum(r + i for r in range(size)), sum((r + i) ** 2 for r in range(size))) for i in range(5)]
    assert len(step.programs()) == 1


# Training


def network(kind=nn.BatchNorm1d):
    cg.manual_seed(3)
    return nn.Sequential(nn.Linear(20, 600), kind(600), nn.ReLU(), nn.Linear(600, 300), nn.Tanh(), nn.Linear(300, 3))


def trained(model, x, y, recorded=False):
    optimizer = cg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    call = cg.compile(step, fullgraph=True) if recorded else step
    for _ in range(4):
        call(x, y)
    return np.concatenate([t.array.ravel() for t in model.state_dict().values()])


def check_the_mean_of_gradients_is_that_of_the_whole_batch(rank, size):
    """Eager and recorded steps of all ranks are those of one process: gradients, synchronized batch norm, clipping."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12 * size, 20)).astype(np.float32), rng.integers(0, 3, 12 * size)
    wanted = trained(network(), cg.tensor(x), cg.tensor(y))
    results = []
    for recorded in (False, True):
        model = nn.SyncBatchNorm.convert_sync_batchnorm(network())
        model = DistributedDataParallel(model, bucket_cap_mb=0.5)
        assert len(model.reducer.buckets) == 3  # 300 × 600 is one of its own
        results.append(trained(model, cg.tensor(x[rank::size]), cg.tensor(y[rank::size]), recorded))
        assert type(model.module[1]) is nn.SyncBatchNorm
    np.testing.assert_allclose(results[0], wanted, rtol=1e-4, atol=2e-5)
    np.testing.assert_array_equal(results[0], results[1])
    same_on_all(results[0].tobytes())


def check_the_model_starts_as_that_of_rank_0(rank, size):
    cg.manual_seed(rank)
    model = DistributedDataParallel(network(nn.BatchNorm1d))
    cg.manual_seed(rank)
    other = DistributedDataParallel(nn.Linear(2, 2))
    for state in model.state_dict(), other.state_dict():
        same_on_all({name: t.tolist() for name, t in state.items()})
    raises(
        RuntimeError,
        f"rank 1 is not that of rank 0: weight is float32 of shape ({2 + 1}, 2)",
        lambda: DistributedDataParallel(nn.Linear(2, 2 + (rank == 1))),
    )


def check_gradients_of_several_passes_add_up(rank, size):
    model, mean = DistributedDataParallel(nn.Linear(4, 2)), (size + 1) / 2
    x = cg.full((2, 4), rank + 1.0)
    with model.no_sync():
        model(x).sum().backward()
    assert model.module.weight.grad[0, 0].item() == 2 * (rank + 1)
    for passes in (2, 3):
        model(x).sum().backward()
        np.testing.assert_allclose(model.module.weight.grad.array, 2 * passes * mean, rtol=1e-6)
    raises(NotImplementedError, "create_graph=True", lambda: model(x).sum().backward(create_graph=True))


def check_hooks_see_the_gradient_of_their_rank(rank, size):
    model, seen = DistributedDataParallel(nn.Linear(1, 1)), []
    model.module.weight.register_hook(lambda g: seen.append(g.item()) or 2 * g)
    model.module.weight.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.item()))
    model(cg.full((1, 1), float(rank + 1))).sum().backward()
    np.testing.assert_allclose(seen, [rank + 1, size + 1], rtol=1e-6)


class Chooses(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x, both):
        return self.a(x) + self.b(x) if both else self.a(x)


def check_unused_parameters(rank, size):
    model = DistributedDataParallel(Chooses(), find_unused_parameters=True)
    model(cg.ones(1, 2), rank > 0).sum().backward()
    np.testing.assert_allclose(model.module.b.bias.grad.array, (size - 1) / size, rtol=1e-6)
    assert model.module.c.bias.grad is None
    strict = DistributedDataParallel(Chooses())
    raises(
        RuntimeError,
        "b.weight has a gradient on some ranks, but not on rank 0",
        lambda: strict(cg.ones(1, 2), rank > 0).sum().backward(),
    )


def check_uneven_batches(rank, size):
    """Rank r has 2 + r batches; the last ones count as those of one rank of `size`."""
    model = DistributedDataParallel(nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1, affine=False)))
    start = model.module[0].weight.item()
    batches = 0
    with model.join():
        for _ in range(2 + rank):
            model.zero_grad()
            model.module[0](cg.ones(1, 1))  # the buffers are synchronized by the model alone
            model(cg.tensor([[0.0], [1.0]]))
            F.mse_loss(model.module[0](cg.ones(1, 1)), cg.zeros(1, 1)).backward()
            with cg.no_grad():
                model.module[0].weight.sub_(0.25 * model.module[0].weight.grad)
            batches += 1
    wanted = start
    for i in range(1 + size):
        active = sum(2 + r > i for r in range(size))
        wanted -= 0.5 * wanted * active / size
    np.testing.assert_allclose(model.module[0].weight.item(), wanted, rtol=1e-5)
    same_on_all([t.tolist() for t in model.state_dict().values()])
    raises(
        ValueError,
        "SyncBatchNorm needs a batch",
        lambda: DistributedDataParallel(nn.Sequential(nn.SyncBatchNorm(2))).join().__enter__(),
    )


def check_samplers_know_their_rank(rank, size):
    sampler = cg.utils.data.DistributedSampler(range(3 * size), shuffle=False)
    assert list(sampler) == list(range(rank, 3 * size, size))


def check_ranks_share_the_cores(rank, size):
    sharing = 1 if os.environ.get("MPIR_CVAR_NOLOCAL") == "1" else size
    assert 1 <= cg.get_num_threads() <= max(1, usable_cores() // sharing)


# The same bits at any number of ranks


def bits(size, shards, seed=3, batch=37, died=None):
    """Fingerprints of short trainings, which this many ranks of the world would have: two of a DDP, two of a Trainer."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((150, 20)).astype(np.float32), rng.integers(0, 3, 150)
    found = []
    for recorded in (False, True):
        cg.manual_seed(seed)
        net = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Dropout(0.3), nn.Linear(30, 3))
        model = DistributedDataParallel(net, deterministic_shards=shards)
        optimizer = cg.optim.AdamW(model.parameters(), lr=0.01)

        def step(x, y, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = model.backward(lambda x, y: F.cross_entropy(model(x), y), x, y)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        call = cg.compile(step) if recorded else step
        for start in range(0, 150, batch):
            call(cg.tensor(x[start : start + batch]), cg.tensor(y[start : start + batch]))
        found.append(cg.train.fingerprint(model.state_dict()))
    for kind, ema in ((nn.SyncBatchNorm, None), (nn.LayerNorm, 0.9)):
        cg.manual_seed(seed)
        net = nn.Sequential(nn.Linear(20, 30), kind(30), nn.ReLU(), nn.Dropout(0.3), nn.Linear(30, 3))
        optimizer = cg.optim.AdamW(net.parameters(), lr=0.01)
        trainer = cg.train.Trainer(
            net, F.cross_entropy, optimizer, metrics=["accuracy"], clip=1.0, ema=ema, accumulate=2, seed=seed,
            early_stopping=cg.train.EarlyStopping(net, 2), deterministic_shards=shards, progress=False,
        )  # fmt: skip
        data, valid = cg.data.TensorDataset(x[:110], y[:110]), cg.data.TensorDataset(x[110:], y[110:])
        history = trainer.fit(cg.data.DataLoader(data, 24, shuffle=True), cg.data.DataLoader(valid, 16), epochs=3)
        found.append(cg.train.fingerprint(net.state_dict()) + repr(history["accuracy"]))
    return found


def check_bits_of_all_ranks(rank, size):
    """The parent compares these with those of a world of one."""
    same_on_all(FINGERPRINTS := bits(size, 6))
    if rank == 0:
        print("bits:" + json.dumps(FINGERPRINTS))


def check_a_trainer_shares_batches(rank, size):
    """Without logical shards, the mean gradient of all ranks is that of the whole batch."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 4)).astype(np.float32)
    data = cg.data.TensorDataset(x, x @ np.ones((4, 1), np.float32))
    results = []
    for ranked in (True, False):
        cg.manual_seed(1)
        net = nn.Linear(4, 1)
        optimizer = cg.optim.SGD(net.parameters(), lr=0.1)
        if ranked:
            trainer = cg.train.Trainer(net, F.mse_loss, optimizer, metrics=["mae"], progress=False)
            history = trainer.fit(cg.data.DataLoader(data, 16), epochs=3)
            results.append([net.weight.array, history["loss"], history["mae"], history["grad_norm"]])
        else:
            losses, errors = [], []
            for _ in range(3):
                sums = np.zeros(2)
                for start in range(0, 50, 16):
                    inputs, target = (t[start : start + 16] for t in data.tensors)
                    output = net(inputs)
                    loss = F.mse_loss(output, target)
                    sums += len(inputs) * np.array([loss.item(), (output - target).abs().mean().item()])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                losses.append(sums[0] / 50)
                errors.append(sums[1] / 50)
            results.append([net.weight.array, losses, errors])
    for ranked, alone in zip(*results, strict=False):
        np.testing.assert_allclose(ranked, alone, rtol=1e-4)
    weights = []
    for accumulate in (1, 2):
        cg.manual_seed(1)
        net = nn.Linear(4, 1)
        optimizer = cg.optim.SGD(net.parameters(), lr=0.1)
        trainer = cg.train.Trainer(net, F.mse_loss, optimizer, accumulate=accumulate, progress=False)
        trainer.fit(cg.data.DataLoader(data, 16 // accumulate), epochs=2)
        weights.append(net.weight.array)
    np.testing.assert_allclose(*weights, rtol=1e-4)
    small = cg.data.DataLoader(cg.data.TensorDataset(x[: size + 1], x[: size + 1]), size)  # the last batch has one row
    cg.manual_seed(1)
    net = nn.Linear(4, 4)
    cg.train.Trainer(net, F.mse_loss, cg.optim.SGD(net.parameters(), lr=0.1), progress=False).fit(small, epochs=2)
    same_on_all(net.weight.tolist())


class Stops(cg.train.Callback):
    def on_epoch_end(self, trainer, metrics):
        if dist.get_rank() == 1:
            trainer.stop()


def check_what_ranks_agree_on(rank, size):
    x = np.ones((12, 4), np.float32)

    def trainer(**options):
        net = nn.Linear(4, 4)
        return cg.train.Trainer(net, F.mse_loss, cg.optim.SGD(net.parameters(), lr=0.1), progress=False, **options)

    loader = cg.data.DataLoader(cg.data.TensorDataset(x, x), 4)
    assert len(trainer(callbacks=[Stops()]).fit(loader, epochs=3)) == 1, "a rank's stop() counts for all"
    other = cg.data.DataLoader(cg.data.TensorDataset(x * (1 + (rank == 2)), x), 4)
    raises(RuntimeError, "the checksum of the first batch of rank 2 is not", lambda: trainer().fit(other))
    short = cg.data.DataLoader(cg.data.TensorDataset(x, x), 4 + 8 * (rank == 1))
    raises(
        RuntimeError,
        "the number of batches of rank 1 is not that of rank 0: 1 instead of 3",
        lambda: trainer().fit(short),
    )
    net = nn.BatchNorm1d(4)
    plain = cg.train.Trainer(
        net, F.mse_loss, cg.optim.SGD(net.parameters(), lr=0.1), progress=False, deterministic_shards=3
    )
    raises(ValueError, "use nn.SyncBatchNorm.convert_sync_batchnorm", lambda: plain.fit(loader))


def main():
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    results = {}
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            try:
                check(rank, size)
                error = None
            except Exception:
                error = traceback.format_exc()
            errors = [None] * size
            dist.all_gather_object(errors, error)
            results[name] = "\n".join(f"rank {r}: {e}" for r, e in enumerate(errors) if e)
    if rank == 0:
        print(json.dumps(results))
    dist.destroy_process_group()


FAILURES = {
    "raise": lambda: (_ for _ in ()).throw(ValueError("lost")),
    "exit": lambda: sys.exit(3),
    "end": lambda: sys.exit(),
    "kill": lambda: __import__("os").kill(__import__("os").getpid(), 9),
}


def fail(how):
    """Rank 1 fails where the others wait for it."""
    dist.init_process_group()
    x = cg.ones(3)
    dist.all_reduce(x)
    if dist.get_rank() == 1:
        FAILURES[how]()
    dist.all_reduce(x)


if __name__ == "__main__":
    fail(sys.argv[1]) if len(sys.argv) > 1 else main()
