"""Settings of a console that has one page: it locks a row, writes another, and says so.

The yardstick for a decision: the same server, the same database, and nothing of ours in between.
"""

from console.settings import *  # noqa: F403  (it is that console, with another page)

ROOT_URLCONF = "benchmarks.bare_page"
# Without this one its app refuses to start; it does nothing for a page like ours.
MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
