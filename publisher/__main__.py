"""``python -m publisher`` is ``publish``."""

from publisher.cli import main

main()
