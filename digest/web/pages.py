"""The few words on the web, which name no reader: whoever holds a forwarded mail sees them too."""

from __future__ import annotations

GONE = (
    "<h1>You are unsubscribed</h1>"
    "<p>No more digests go to your address. To return, answer any of them.</p>"
)
UNKNOWN = (
    "<h1>This link leads nowhere</h1>"
    "<p>Was it copied whole? A digest can also be answered with the word unsubscribe.</p>"
)
BUSY = "<h1>Not now</h1><p>The database is busy. Please try again in a minute.</p>"
# The name and value are RFC 8058's, so that the button does what a mail program's own does.
QUESTION = (
    "<h1>Leave this digest?</h1><p>No more mails with new arXiv papers will come to you.</p>"
    '<form method="post">'
    '<button type="submit" name="List-Unsubscribe" value="One-Click">Unsubscribe</button></form>'
)
"""With a button that is needed: looking at a link changes nothing."""

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
