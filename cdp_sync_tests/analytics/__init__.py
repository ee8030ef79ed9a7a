"""Tests of the figures of analytics."""
