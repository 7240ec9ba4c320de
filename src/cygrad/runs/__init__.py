"""Runs: training from files, and the folders that hold trained models."""

from cygrad.runs.config_file import read_config
from cygrad.runs.folder import load, prepare_folder, save
from cygrad.runs.image_run import ImageConfig, ImageRun
from cygrad.runs.image_task import ImageTask, digits, mnist
from cygrad.runs.options import Options
from cygrad.runs.protocols import Run, RunConfig, Task
from cygrad.runs.search import sweep
from cygrad.runs.series_run import SeriesConfig, SeriesRun
from cygrad.runs.series_task import SeriesTask, prepare_series
from cygrad.runs.session import resume, train
from cygrad.runs.table_run import TableConfig, TableRun
from cygrad.runs.table_task import TableTask, prepare_table

__all__ = [
    "ImageConfig",
    "ImageRun",
    "ImageTask",
    "Options",
    "Run",
    "RunConfig",
    "SeriesConfig",
    "SeriesRun",
    "SeriesTask",
    "TableConfig",
    "TableRun",
    "TableTask",
    "Task",
    "digits",
    "load",
    "mnist",
    "prepare_folder",
    "prepare_series",
    "prepare_table",
    "read_config",
    "resume",
    "save",
    "sweep",
    "train",
]
