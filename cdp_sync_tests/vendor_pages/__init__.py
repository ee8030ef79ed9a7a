"""Sentences that the vendor's pages of Sailthru and Iterable both have: each is a test of both platforms."""
