"""The process of ``publish run``: timers and background jobs.

It decides when work runs, never how: the work itself belongs to the packages below.
"""

from publisher.reports.permissions import log_exposed_paths
from publisher.runner.logs import make_log
from publisher.runner.runner import Runner

__all__ = ["Runner", "log_exposed_paths", "make_log"]
