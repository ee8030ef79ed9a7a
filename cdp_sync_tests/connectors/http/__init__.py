"""Tests of HTTP calls: rate limits, timeouts, retries, downloads."""
