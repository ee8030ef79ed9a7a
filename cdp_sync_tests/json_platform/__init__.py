"""An example platform in its own package, which reads people from a JSON file and writes users to another."""
