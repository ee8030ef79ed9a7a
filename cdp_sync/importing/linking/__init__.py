"""Gives every row a profile: match, take, spread, new."""
