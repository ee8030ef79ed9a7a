"""Events to delimited files on a server: find what is new, stage, write, deliver, record."""
