"""Iterable, from its users to profiles."""
