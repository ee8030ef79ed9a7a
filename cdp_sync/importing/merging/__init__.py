"""Merges what a run brought, in the transaction that lands it."""
