"""Tests of dumps: their digests, and that a warehouse is restored whole or not at all."""
