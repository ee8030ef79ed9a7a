"""Bluecore's exports."""
