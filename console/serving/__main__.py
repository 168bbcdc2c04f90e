"""Serve the console: `python -m console.serving --port 8000`, or `--fd` or `--unix`."""

import argparse
import contextlib
import os
import resource

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")


def main() -> None:
    """Listen, and serve until told to stop."""
    # Daphne brings the reactor, which must be there before anything of Django asks for a loop.
    from console.serving.server import Server, endpoints  # noqa: PLC0415

    given = _arguments()
    from django.conf import settings  # noqa: PLC0415
    from django.urls import get_resolver  # noqa: PLC0415

    from console.asgi import application  # noqa: PLC0415

    _open_more_files()
    # Loaded before anybody waits for an answer.
    _ = get_resolver().url_patterns
    where = endpoints(descriptor=given.fd, host=given.host, port=given.port, unix=given.unix)
    Server(application, where, settings.BUDGETS).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m console.serving", description=__doc__)
    parser.add_argument("--fd", type=int, help="a listening socket that was handed over")
    parser.add_argument("--unix", default="", help="the path of a Unix socket")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args()


def _open_more_files() -> None:
    # Every connection is one; the first limit is often 1,024, the second a thousand times that.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
