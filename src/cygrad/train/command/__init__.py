"""What ``cygrad train``, ``cygrad resume`` and ``cygrad runs`` do."""

from cygrad.train.command.job import Job, read_config
from cygrad.train.command.options import CHOICES, Options
from cygrad.train.command.session import resume, train

__all__ = ["CHOICES", "Job", "Options", "read_config", "resume", "train"]
