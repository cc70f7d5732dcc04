"""The forms that browsers post, within their bounds."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

URLENCODED = "application/x-www-form-urlencoded"
SECONDS = 5.0
"""How long the rest of a form is waited for."""


async def read_form(request: Request, *, longest: int) -> dict[str, str]:
    """The fields of a form, each as it was given first; none where it comes in another encoding.

    What is beyond `longest` octets is not read. Raises HTTPException where the form does not come.
    """
    if not request.headers.get("Content-Type", "").startswith(URLENCODED):
        return {}
    form = b""
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                form += chunk
                if len(form) > longest:
                    break
    except (ClientDisconnect, TimeoutError) as error:
        raise HTTPException(408) from error
    found = parse_qs(form[:longest].decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in found.items()}
