"""Copies of the database: taking one, bringing it back, and proving that this works."""
