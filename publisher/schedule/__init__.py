"""``publish run``: everything that happens by itself, in one process that stays."""

from publisher.schedule.logs import make_log
from publisher.schedule.runner import Runner

__all__ = ["Runner", "make_log"]
