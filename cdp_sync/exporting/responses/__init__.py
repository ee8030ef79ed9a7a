"""Responses to mailings to delimited files on a server: find what is due, stage, write, deliver, record."""
