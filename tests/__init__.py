"""Tests of the package, and what they need."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.dont_write_bytecode and sys.pycache_prefix is None:
    # Without compiled modules, each test process rewrites the assertions of all tests again, which takes ten seconds of
    # CPU. Beside their source, the environment does not allow any.
    sys.pycache_prefix = str(Path(__file__).parent.parent / ".pytest_cache" / "compiled")
    sys.dont_write_bytecode = False
    # For interpreters that tests start.
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
