"""What do the pages of States show? Values in, answers for a template out.

The same answers serve the page, the reply and the push.
"""
