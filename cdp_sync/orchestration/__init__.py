"""Declared connections as Dagster sees them: assets, jobs, resources, checks. No work is done here, only handed out."""
