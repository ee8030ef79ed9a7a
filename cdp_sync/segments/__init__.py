"""Conditions over profiles: as SQL, as words, and who meets them."""
