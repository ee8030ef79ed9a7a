"""The whole way of a file: from the server into the warehouse, and back onto it after whatever went wrong."""
