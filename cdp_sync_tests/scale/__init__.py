"""A project on two workers that are killed and cut off, compared table by table with a serial run: `make scale`."""
