"""The data that the command line trains on, in parts and as numbers."""

from cygrad.train.tasks.pixels import Task, digits, mnist
from cygrad.train.tasks.table import TableOptions, TableTask, table_task

__all__ = ["TableOptions", "TableTask", "Task", "digits", "mnist", "table_task"]
