"""``publish run``: everything that happens by itself, in one process that stays."""

from publisher.runner.logs import make_log
from publisher.runner.runner import Runner

__all__ = ["Runner", "make_log"]
