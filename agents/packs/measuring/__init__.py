"""How well do the guards do on runs that others have recorded and judged?"""
