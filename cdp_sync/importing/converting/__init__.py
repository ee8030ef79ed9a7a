"""How a cell of text becomes a value: one module for each kind of value.

A conversion yields null where the cell does not convert; nothing is rounded, guessed or read two ways. Most cells are
written in the ordinary way: each conversion tries a quick expression first, and looks closer only where that fails.
"""
