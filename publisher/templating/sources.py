"""Templates' sources, without the template engine: has one been edited since?"""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["shipped_templates", "source_hash"]


def shipped_templates() -> Path:
    """Return the folder of the default templates: in the wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_templates"
    return packaged if packaged.is_dir() else package.parent / "templates"


def source_hash(folder: Path, name: str) -> str:
    """Return a hash of a template's sources: the shipped one's, and the site's own if it has one."""
    hashing = hashlib.sha256()
    for path in (shipped_templates() / name, folder / name):
        hashing.update(path.read_bytes() if path.is_file() else b"")
    return hashing.hexdigest()[:16]
