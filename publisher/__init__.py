"""A self-hosted publisher: article records in, feeds and newsletter digests out."""

__all__ = ["__version__"]

__version__ = "0.1.0"
