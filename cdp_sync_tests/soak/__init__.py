"""Runs that are killed at random instants and run again, and what hundreds of runs leave: `make soak`."""
