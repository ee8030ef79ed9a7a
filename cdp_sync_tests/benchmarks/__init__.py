"""Benchmarks: the cost of imports and exports compared with scripts written by hand for the same work."""
