"""A table polluted in the ways that the Pollock benchmark for delimited text describes, and how the product reads it.

The kinds of pollution are those of Vitagliano et al., "Pollock: A Data Loading Benchmark" (PVLDB 16, 2023), and more.
Table, files and code are our own.
"""
