"""Who may have changed since the last run of an export goal, and what is kept of a run for the next one to know."""
