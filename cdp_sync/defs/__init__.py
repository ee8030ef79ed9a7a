"""The declared project: one folder for each component, with its `defs.yaml`."""
