"""The outside world, one package for each protocol. Never sees the warehouse."""
