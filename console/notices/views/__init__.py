"""Pages: what I want to be told, and where else it is sent."""
