"""Calls over HTTP: rates, time-outs, attempts, downloads."""
