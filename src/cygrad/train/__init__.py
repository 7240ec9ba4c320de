"""Training: the trainer and what belongs to it, models, and runs on the disk."""

from cygrad.train.callbacks import Callback, CallbackError
from cygrad.train.checkpoint import Checkpoint, read_checkpoint
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.evaluation import NonFiniteError, evaluate, predict
from cygrad.train.fingerprint import fingerprint
from cygrad.train.health import (
    ExplodingGradientWarning,
    GradientHealth,
    GradientWarning,
    LayerHealth,
    NanGradientWarning,
    VanishingGradientWarning,
)
from cygrad.train.history import History
from cygrad.train.lr_finder import RateTest, find_lr
from cygrad.train.metrics import F1, MAE, R2, Accuracy, FunctionMetric, Metric, RocAuc
from cygrad.train.models import mlp
from cygrad.train.options import ResumeWarning
from cygrad.train.progress import Progress
from cygrad.train.run import Config, Run, TableConfig, TableRun, load_run, prepare_folder, save_run
from cygrad.train.saved_model import load_model, save_model
from cygrad.train.swa import SWA
from cygrad.train.tasks import Task, digits, mnist
from cygrad.train.trainer import Trainer

__all__ = [
    "F1",
    "MAE",
    "R2",
    "SWA",
    "Accuracy",
    "Callback",
    "CallbackError",
    "Checkpoint",
    "Config",
    "EarlyStopping",
    "ExplodingGradientWarning",
    "FunctionMetric",
    "GradientHealth",
    "GradientWarning",
    "History",
    "LayerHealth",
    "Metric",
    "NanGradientWarning",
    "NonFiniteError",
    "Progress",
    "RateTest",
    "ResumeWarning",
    "RocAuc",
    "Run",
    "TableConfig",
    "TableRun",
    "Task",
    "Trainer",
    "VanishingGradientWarning",
    "digits",
    "evaluate",
    "find_lr",
    "fingerprint",
    "load_model",
    "load_run",
    "mlp",
    "mnist",
    "predict",
    "prepare_folder",
    "read_checkpoint",
    "save_model",
    "save_run",
]
