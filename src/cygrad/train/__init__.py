"""Training: the loop, early stopping, models, and runs on the disk."""

from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.loop import Evaluation, History, Record, evaluate, fit, predict
from cygrad.train.models import mlp
from cygrad.train.run import Config, Run, load_run, prepare_folder, save_run
from cygrad.train.tasks import Task, digits, mnist

__all__ = [
    "Config",
    "EarlyStopping",
    "Evaluation",
    "History",
    "Record",
    "Run",
    "Task",
    "digits",
    "evaluate",
    "fit",
    "load_run",
    "mlp",
    "mnist",
    "predict",
    "prepare_folder",
    "save_run",
]
