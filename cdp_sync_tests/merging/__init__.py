"""Merging of profiles: a second implementation, generated histories, and tests that compare the two."""
