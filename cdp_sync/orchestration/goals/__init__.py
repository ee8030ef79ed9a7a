"""Goals as assets: their ops, checks, metadata and partitions."""
