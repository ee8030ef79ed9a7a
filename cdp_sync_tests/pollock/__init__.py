"""A table polluted as in the Pollock benchmark for delimited text, and how the product reads it.

The kinds of pollution are those of Vitagliano et al., "Pollock: A Data Loading Benchmark" (PVLDB 16, 2023), and more.
The table, files and code are written for this project.
"""
