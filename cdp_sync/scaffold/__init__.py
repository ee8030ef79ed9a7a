"""A project of a team's own: the files that `cdp-sync init` writes, and the JSON schema for its editors."""
