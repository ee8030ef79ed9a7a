"""A platform of a package of its own: people in one JSON file, users in another."""
