"""Profiles of a segment to a delimited file on a server: write, deliver."""
