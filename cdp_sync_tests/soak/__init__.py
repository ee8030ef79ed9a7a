"""Runs that are killed at random points and run again, and the growth over hundreds of runs: `make soak`."""
