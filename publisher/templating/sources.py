"""Locate and hash template sources without importing Jinja2, to find out whether they changed."""

from __future__ import annotations

import hashlib
from pathlib import Path


def shipped_templates() -> Path:
    """Return the folder of the shipped templates, in an installed package or in a checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_templates"
    return packaged if packaged.is_dir() else package.parent / "templates"


def source_hash(folder: Path, name: str) -> str:
    """Return a hash of a template's sources: the shipped file and the site's own file, if any."""
    digest = hashlib.sha256()
    for path in (shipped_templates() / name, folder / name):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:16]
