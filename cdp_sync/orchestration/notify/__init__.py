"""Mail about runs that ended."""
