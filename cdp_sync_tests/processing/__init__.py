"""Processors: each alone, chains of them, and functions of a project's own."""
