"""Run the command line: ``python -m publisher`` is the same as ``publish``."""

from publisher.cli import main

if __name__ == "__main__":
    main()
