"""Profiles of a segment to users of a platform: deliver, verify, remove from lists, record."""
