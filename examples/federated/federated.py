"""Train one network on data that stays where it is: a client for Flower, and its server.

    pip install flwr                                         # on every machine, beside cygrad
    flower-superlink --insecure --host 127.0.0.1             # on one machine; its API is at port 8000
    flower-supernode --insecure --superlink 127.0.0.1:8000 --port 9094 --node-config "partition-id=0 num-partitions=2"
    flower-supernode --insecure --superlink 127.0.0.1:8000 --port 9095 --node-config "partition-id=1 num-partitions=2"
    flwr run examples/federated local --stream

The last command reads the address of ``local`` from ``config.toml`` in Flower's folder (``~/.flwr`` or FLWR_HOME):

    [superlink.local]
    address = "127.0.0.1:8000"
    insecure = true

Between machines leave out ``--insecure``, and give Flower certificates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg

import cygrad as cg
from cygrad.nn import functional as F

Arrays = list[np.ndarray[Any, Any]]
HELD_OUT = 60  # rows of each client


def network() -> cg.nn.Module:
    """The network that all clients train."""
    cg.manual_seed(0)
    return cg.train.mlp((64, 32, 10), dropout=0.1)


class DigitsClient(NumPyClient):
    """Trains on every n-th digit, as if nobody else may see them.

    Args:
        part: index of the client.
        parts: number of clients.
        epochs: in each round.
    """

    def __init__(self, part: int, parts: int, epochs: int) -> None:
        images, labels = cg.data.load_digits()
        x, y = images.reshape(-1, 64)[part::parts].astype("float32") / 16, labels[part::parts]
        self.train = cg.data.TensorDataset(x[HELD_OUT:], y[HELD_OUT:])
        self.held = cg.data.TensorDataset(x[:HELD_OUT], y[:HELD_OUT])
        self.epochs = epochs
        self.model = network()

    def fit(self, parameters: Arrays, config: dict[str, Any]) -> tuple[Arrays, int, dict[str, Any]]:
        """Train from the server's weights; return the new ones, and the number of rows that they stand for."""
        set_weights(self.model, parameters)
        optimizer = cg.optim.AdamW(self.model.parameters(), lr=3e-3)
        trainer = cg.train.Trainer(self.model, F.cross_entropy, optimizer, progress=False)
        trainer.fit(cg.data.DataLoader(self.train, 32, shuffle=True), epochs=self.epochs)
        return weights_of(self.model), len(self.train), {}

    def evaluate(self, parameters: Arrays, config: dict[str, Any]) -> tuple[float, int, dict[str, Any]]:
        """Measure the server's weights on held-out rows."""
        set_weights(self.model, parameters)
        batches = cg.data.DataLoader(self.held, HELD_OUT)
        result = cg.train.evaluate(self.model, batches, F.cross_entropy, ["accuracy"])
        return result["loss"], len(self.held), {"accuracy": result["accuracy"]}


def weights_of(model: cg.nn.Module) -> Arrays:
    """The network's state as arrays: parameters, and the statistics of batch norm."""
    return [tensor.numpy().copy() for tensor in model.state_dict().values()]


def set_weights(model: cg.nn.Module, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    """Give a network another state."""
    model.load_state_dict(dict(zip(model.state_dict(), map(cg.tensor, arrays), strict=True)))


def mean_accuracy(results: list[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """The clients' accuracy, weighted by their rows."""
    return {"accuracy": sum(rows * found["accuracy"] for rows, found in results) / sum(rows for rows, _ in results)}


def client_of(context: Context) -> Any:
    """The client of a node."""
    node, run = context.node_config, context.run_config
    return DigitsClient(int(node["partition-id"]), int(node["num-partitions"]), int(run["local-epochs"])).to_client()


def server_of(context: Context) -> ServerAppComponents:
    """Average the clients' weights after each round (FedAvg, B. McMahan et al., 2017)."""
    strategy = FedAvg(
        min_fit_clients=2,
        min_evaluate_clients=2,
        min_available_clients=2,
        initial_parameters=ndarrays_to_parameters(weights_of(network())),
        evaluate_metrics_aggregation_fn=mean_accuracy,
    )
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=int(context.run_config["rounds"])))


client = ClientApp(client_fn=client_of)
server = ServerApp(server_fn=server_of)
