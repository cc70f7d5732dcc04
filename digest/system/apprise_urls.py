"""URLs of Apprise, read by that library, where it is installed, to one service with one target.

What it logs holds payloads and URLs with their tokens, and so does what the libraries below it log:
nothing of that reaches a log of ours.
"""

from __future__ import annotations

import logging
from typing import Any

CONNECT, READ = 20.0, 30.0
"""Seconds for a connection, and for each silence of the service."""
_LOGS = ("apprise", "urllib3", "requests")


class WrongUrlError(ValueError):
    """A text is no URL of Apprise's with one target; the words hold nothing of it."""


class NoLibraryError(Exception):
    """Apprise is not installed."""


def open_service(url: str) -> Any:
    """The service that a URL names, as Apprise's plugin for it. Raises WrongUrlError, or
    NoLibraryError.
    """
    for name in _LOGS:
        log = logging.getLogger(name)
        log.propagate = False
        if not log.handlers:
            log.addHandler(logging.NullHandler())
    try:
        from apprise import Apprise, AppriseAsset
    except ImportError:
        raise NoLibraryError from None
    asset = AppriseAsset(
        app_id="Digest", app_desc="Digest", app_url="", image_url_mask="", image_url_logo=""
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise WrongUrlError("Apprise knows no service of which this is a URL")
    # Whether a message is sent once more, and what a failure means, is not the library's to say.
    service.retry, service.optional = 0, False
    service.socket_connect_timeout, service.socket_read_timeout = CONNECT, READ
    if len(service) != 1:
        raise WrongUrlError(
            f"this URL names {len(service)} targets: write a reader for each, since a message that"
            " reached only some would come twice to those"
        )
    return service
