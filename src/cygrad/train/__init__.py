"""Training: the ``Trainer``, its callbacks, metrics and checkpoints, and saved models."""

from cygrad.train.callbacks import Callback, CallbackError
from cygrad.train.checkpoint import Checkpoint, read_checkpoint
from cygrad.train.early_stopping import EarlyStopping
from cygrad.train.evaluation import NonFiniteError, evaluate, predict
from cygrad.train.fingerprint import fingerprint
from cygrad.train.forecasters import Forecaster, forecaster
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
from cygrad.train.metrics import F1, MAE, R2, Accuracy, BalancedAccuracy, FunctionMetric, Metric, RocAuc
from cygrad.train.models import convnet, mlp
from cygrad.train.option_changes import ResumeWarning
from cygrad.train.progress import Progress
from cygrad.train.protocols import TrainerLike
from cygrad.train.saved_model import load_model, save_model
from cygrad.train.search import Search, Trial, sweep
from cygrad.train.swa import SWA
from cygrad.train.trainer import Trainer

__all__ = [
    "F1",
    "MAE",
    "R2",
    "SWA",
    "Accuracy",
    "BalancedAccuracy",
    "Callback",
    "CallbackError",
    "Checkpoint",
    "EarlyStopping",
    "ExplodingGradientWarning",
    "Forecaster",
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
    "Search",
    "Trainer",
    "TrainerLike",
    "Trial",
    "VanishingGradientWarning",
    "convnet",
    "evaluate",
    "find_lr",
    "fingerprint",
    "forecaster",
    "load_model",
    "mlp",
    "predict",
    "read_checkpoint",
    "save_model",
    "sweep",
]
