"""Chooses the profiles to deliver, and stages what leaves."""
