"""Tests of the connector for Sailthru."""
