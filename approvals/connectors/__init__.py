"""How do effects leave the house? One protocol, one file for each kind of way."""
