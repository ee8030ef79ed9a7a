"""Servers on loopback that play the outside world: for the demonstration, for `cdp-sync up` and for tests."""
