"""Optuna's dashboard on a study, for a browser on this machine only."""

import logging
import socketserver
from collections.abc import Callable
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna

from autopeft.errors import MissingDependencyError, RunError, UsageError

LOOPBACK = "127.0.0.1"


def serve_dashboard(storage: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        storage: address of the database that holds the study.
        port: on the loopback device; 0 takes a free one.
        ready: is told the address once a browser can open it.

    Raises:
        MissingDependencyError: optuna-dashboard is not installed.
        RunError: the database cannot be reached.
        UsageError: the port is taken.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise MissingDependencyError(
            "optuna-dashboard is not installed", hint="pip install 'autopeft[dashboard]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna_dashboard").setLevel(logging.WARNING)
    try:
        pages = wsgi(optuna.storages.RDBStorage(storage))
    except Exception as error:
        # Not chained and not quoted: a database's error can hold the password of its address.
        raise RunError(
            f"the study's database cannot be opened ({type(error).__name__})", hint="see that it runs, and try again"
        ) from None
    try:
        server = make_server(LOOPBACK, port, pages, server_class=_Server, handler_class=_QuietHandler)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}", hint="choose another --port") from None
    with server:
        ready(f"http://{LOOPBACK}:{server.server_port}/dashboard")
        server.serve_forever()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Browsers open several connections at once, and may keep one open."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """No line for each request."""
