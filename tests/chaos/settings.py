"""The console's settings, and the pack with which it is hurt from inside."""

from console.settings import *  # noqa: F403
from console.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.chaos.pack"]
