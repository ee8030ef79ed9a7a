"""Bluecore's exports: audience campaigns, and daily files of e-mail events and unsubscribes.

What an author declares becomes ordinary goals, which the engines run like any other; a file server receives the files.
"""
