"""Sailthru: lists, users and jobs of an account, over its API. `kind` names the parts that the engines use.

`protocol` holds the knowledge of the API and does no I/O; `client` calls it. The contract that it follows is described
by the vendor's pages (getstarted.sailthru.com/developers/api) and official clients; where they leave something open,
both ways are accepted. Nothing is imported here, for the declared goals are read without the client.
"""
