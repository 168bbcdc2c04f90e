"""What does the console promise, and does it keep it?"""
