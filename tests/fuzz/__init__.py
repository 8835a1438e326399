"""Fuzz every parser that takes bytes from outside: ``python -m tests.fuzz [--seconds N] [TARGET …]``."""
