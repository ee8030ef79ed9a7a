"""HTTP: what the API of any platform needs, over requests. Knows no platform.

`Sender` is the door: it calls at the rate that the platform allows, tries again what may pass, and downloads.
Nothing in this package knows the warehouse or Dagster. No error and no log line of it holds a query or a body:
they hold people's addresses and signatures.
"""
