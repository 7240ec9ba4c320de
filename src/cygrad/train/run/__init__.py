"""A run: a trained model, what stands before and behind it, and its folder on the disk."""

from cygrad.train.run.folder import AnyRun, load_run, prepare_folder, save_run
from cygrad.train.run.pixels import Config, Run
from cygrad.train.run.table import TableConfig, TableRun

__all__ = ["AnyRun", "Config", "Run", "TableConfig", "TableRun", "load_run", "prepare_folder", "save_run"]
