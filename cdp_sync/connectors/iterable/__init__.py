"""Iterable: users and lists of a project, over its API. `kind` names the parts that the engines use.

`protocol` and `answers` hold the knowledge of the API and do no I/O; `client` calls it; `export` fetches many users.
The contract that they follow is described by the vendor's API documentation (version 1.8), its official client and
recorded answers. Where these leave something open, both ways are accepted. Nothing is imported here, for the declared
goals are read without the client.
"""
