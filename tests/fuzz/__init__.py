"""Fuzz every parser of untrusted bytes: ``python -m tests.fuzz [--seconds N] [TARGET …]``."""
