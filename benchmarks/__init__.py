"""How fast is the console, next to something that everybody can measure?"""
