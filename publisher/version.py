"""The version of the program, by semantic versioning."""

__all__ = ["__version__"]

__version__ = "0.1.0"
