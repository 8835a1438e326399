"""Print a table of feed readers and the features of a feed that they show: ``python -m tests.readers``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.readers.clients import CLIENTS
from tests.readers.features import FEATURES, supported_features
from tests.support.http_servers import run_web_server
from tests.support.parsers import close_shared_parser


def main() -> None:
    print(f"{'reader':<12}{'format':<8}" + "".join(f"{name:<11}" for name in FEATURES))
    for client in CLIENTS:
        reason = client.missing()
        if reason is not None:
            print(f"{client.name:<12}skipped: {reason}")
            continue
        for form in client.formats:
            with tempfile.TemporaryDirectory() as folder, run_web_server() as web:
                shown = supported_features(client, form, Path(folder), web)
            cells = "".join(f"{'yes' if shown[name] else '-':<11}" for name in FEATURES)
            print(f"{client.name:<12}{form:<8}{cells}".rstrip())


if __name__ == "__main__":
    try:
        main()
    finally:
        close_shared_parser()
