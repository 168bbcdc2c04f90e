"""The database as the processes meet it: which role may do what, and in which workspace."""
