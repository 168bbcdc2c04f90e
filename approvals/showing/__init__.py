"""What do the pages of proposals show? Values in, answers for a template out.

The same answers serve the page, the reply and the push.
"""
