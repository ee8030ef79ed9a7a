"""Runs: started, followed, recovered, removed."""
