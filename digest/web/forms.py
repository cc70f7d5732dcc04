"""The forms that browsers post: within their bounds, and shown by this side lately."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from digest.errors import UsageError
from digest.mail.reader_tokens import Purpose, Signer, claimed_number

URLENCODED = "application/x-www-form-urlencoded"
SECONDS = 5.0
"""How long the rest of a form is waited for."""
LASTS = timedelta(hours=24)
"""For how long a form that was shown can be posted."""
STAMP = "form"
"""The field that says when a form was shown, signed."""
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime.fromisoformat("2020-01-01T00:00:00+00:00")


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


def stamp(signer: Signer, now: datetime, whose: str = "") -> str:
    """What a form's STAMP holds; `whose`: of the one reader whom the form is for."""
    return signer.token(Purpose.FORM, (now - _EPOCH) // _MINUTE, whose)


def require_fresh(signer: Signer, form: Mapping[str, str], now: datetime, whose: str = "") -> None:
    """Raises UsageError where a form was not shown by this side lately, to be pressed again."""
    token = form.get(STAMP, "")
    minute = claimed_number(token)
    if (
        minute is None
        or not signer.is_genuine(Purpose.FORM, token, whose)
        or abs(now - (_EPOCH + minute * _MINUTE)) > LASTS
    ):
        raise UsageError("the page was open for too long", remedy="press the button again")
