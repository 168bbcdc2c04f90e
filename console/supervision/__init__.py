"""How does the whole console run on one machine with one command?"""
