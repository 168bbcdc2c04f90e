"""How does this console reach other hosts, none but those it may, and always come to an end?"""
