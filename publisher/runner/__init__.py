"""The process of ``publish run``: timers and background jobs.

It decides when work runs, never how: the work itself belongs to the packages below.
"""

from publisher.runner.logs import make_log
from publisher.runner.runner import Runner

__all__ = ["Runner", "make_log"]
