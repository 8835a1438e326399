"""Benchmarks: ``python -m bench.NAME`` measures one thing against a named peer and prints ratios."""
