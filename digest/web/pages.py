"""The few words on the web, which name no reader: whoever holds a forwarded mail sees them too."""

from __future__ import annotations

from enum import StrEnum

from digest.model import Standing


class Deed(StrEnum):
    """What is done with a reader's link: looking at it, RFC 8058's one click, a press of one of the
    page's own buttons.
    """

    LOOK = "look"
    ONE_CLICK = "one click"
    LEAVE = "leave"
    UNDO = "undo"


FIELD = "button"
"""The field of the page's own buttons, by which they differ from what mail services post."""


def _button(deed: Deed, words: str) -> str:
    return (
        f'<form method="post"><button type="submit" name="{FIELD}" value="{deed}">'
        f"{words}</button></form>"
    )


GONE = (
    "<h1>You are unsubscribed</h1>"
    "<p>No more digests go to your address. To return, answer any of them.</p>"
)
GONE_JUST_NOW = (
    "<h1>You are unsubscribed</h1>"
    "<p>No more digests go to your address. One last mail says so, and how to return.</p>"
    f"<p>Pressed by mistake? For a day you can take it back:</p>{_button(Deed.UNDO, 'Undo')}"
)
BACK = (
    "<h1>You are subscribed</h1>"
    "<p>Your digests come as before, with all that was announced meanwhile.</p>"
)
UNKNOWN = (
    "<h1>This link leads nowhere</h1>"
    "<p>Was it copied whole? A digest can also be answered with the word unsubscribe.</p>"
)
BUSY = "<h1>Not now</h1><p>The database is busy. Please try again in a minute.</p>"
QUESTION = (
    "<h1>Leave this digest?</h1><p>No more mails with new arXiv papers will come to you.</p>"
    + _button(Deed.LEAVE, "Unsubscribe")
)
"""With a button that is needed: looking at a link changes nothing."""

# Only the answer to a press offers to undo it: whatever presses the buttons of pages that mails
# lead to would bring back a reader who left.
PAGES = {
    (Deed.LOOK, Standing.READS): QUESTION,
    (Deed.UNDO, Standing.READS): BACK,
    (Deed.LEAVE, Standing.LEFT_JUST_NOW): GONE_JUST_NOW,
}
"""What is shown after a deed to whom it left so; to all others, that they are unsubscribed."""

STYLE = (
    "body{margin:15vh auto;max-width:32em;padding:0 20px;"
    "font:18px/1.5 system-ui,sans-serif;color:#22262b;background:#fff}"
    "h1{font:bold 28px/1.25 Georgia,serif}"
    "button{padding:10px 24px;border:0;border-radius:4px;"
    "font:inherit;color:#fff;background:#17508f;cursor:pointer}"
    "@media(prefers-color-scheme:dark){body{color:#e3e5e8;background:#181b1f}}"
)


def page(content: str) -> str:
    """A whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Digest</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<style>{STYLE}</style></head><body><main>{content}</main></body></html>\n"
    )
