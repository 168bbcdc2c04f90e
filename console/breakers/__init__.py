"""Which dependencies outside are left alone for now, because they failed again and again?"""
