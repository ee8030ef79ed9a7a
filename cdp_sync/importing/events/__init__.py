"""Turns the events of rows into those of the warehouse: by id, updated where they are there, added where not."""
