"""Profiles of a segment to a file."""
