"""A call to a watchdog on the web after each good cycle: it raises the alarm when the calls stop
coming.
"""

from __future__ import annotations

import asyncio
import logging

import httpx

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds: a watchdog that does not answer must not hold up anything."""


async def beat(url: str) -> bool:
    """Call the address; whether that was answered well. Never fails, and the address, a secret, is
    not repeated.
    """
    try:
        # What it says is not read: its status is the answer.
        async with (
            asyncio.timeout(TIMEOUT),
            httpx.AsyncClient(follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            response.raise_for_status()
    except httpx.HTTPStatusError as error:
        # The address is a secret: the error's own words would repeat it.
        log.warning("the heartbeat was not taken: HTTP %d", error.response.status_code)
        return False
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        log.warning("the heartbeat was not taken: %s", type(error).__name__)
        return False
    return True
