"""Tests of Spotler's exchange."""
