"""Benchmarks: ``python -m bench.NAME`` measures one subject against a named peer and prints ratios."""
