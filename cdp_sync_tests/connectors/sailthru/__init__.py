"""Speaking with Sailthru."""
