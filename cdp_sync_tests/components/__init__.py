"""What a defs.yaml may say and what it becomes."""
