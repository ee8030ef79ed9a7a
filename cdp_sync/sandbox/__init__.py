"""Servers on loopback in place of the real ones: for the demonstration, for `cdp-sync up` and for tests."""
