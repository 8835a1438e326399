"""Fixtures of sites that are made once for each test process."""

from __future__ import annotations

from tests.support.copies import copies

__all__ = ["copies"]
