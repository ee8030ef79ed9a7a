"""Runs of the `cdp-sync` command that are killed at random instants, and run again: `make soak`."""
