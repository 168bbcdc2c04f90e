"""A pack whose runs die with their worker."""
