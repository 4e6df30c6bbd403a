"""Benchmarks: how fast the real path is, measured, never assumed."""
