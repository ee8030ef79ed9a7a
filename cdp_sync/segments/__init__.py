"""Conditions over profiles: as SQL, in words, and the profiles that meet them."""
