"""Runs: training from files, and the folders that hold trained models."""

from cygrad.runs.folder import AnyRun, load, prepare_folder, save
from cygrad.runs.image_run import ImageConfig, ImageRun
from cygrad.runs.image_task import ImageTask, digits, mnist
from cygrad.runs.job import Job, read_config
from cygrad.runs.options import CHOICES, Options
from cygrad.runs.session import resume, train
from cygrad.runs.table_run import TableConfig, TableRun
from cygrad.runs.table_task import TableOptions, TableTask, table_task

__all__ = [
    "CHOICES",
    "AnyRun",
    "ImageConfig",
    "ImageRun",
    "ImageTask",
    "Job",
    "Options",
    "TableConfig",
    "TableOptions",
    "TableRun",
    "TableTask",
    "digits",
    "load",
    "mnist",
    "prepare_folder",
    "read_config",
    "resume",
    "save",
    "table_task",
    "train",
]
