"""The demonstration: its input, its script, and how it compares both sides."""
