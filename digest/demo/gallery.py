"""A page that shows the sample digests in light and dark, narrow and wide, beside their text
parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from digest.demo.samples import READER, Sample, samples
from digest.errors import ConfigError
from digest.mail.body import Lines, shown
from digest.mail.message import Sender
from digest.model import Rendered
from digest.rendering.render import Renderer
from digest.rendering.templates import environment

WIDTHS = (320, 600, 1200)
"""Pixels: a small phone, a mail window, a wide one."""
INDEX = "index.html"
SENDER = "Daily Papers <papers@example.org>"
_MARK = "markedlineofthereader"
_DARK = "@media (prefers-color-scheme: dark)"
_SCHEMES = {"light": "@media not all", "dark": "@media all"}
"""Replaces the media query for dark mode, so that both looks can be seen at once."""


@dataclass(frozen=True, slots=True)
class _Shown:
    name: str
    title: str
    subject: str
    text: str
    kilobytes: int


def write_gallery(folder: Path, renderer: Renderer) -> Path:
    """Write the page and its parts into a folder, which is made; returns the page's path.

    For each sample: NAME.html as it is mailed, NAME-light.html and NAME-dark.html, and NAME.txt.
    Raises ConfigError where the folder cannot be written, or a template is broken.
    """
    samples_shown = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for sample in samples():
            made = renderer.render(sample.digest, _MARK)
            text, html = completed(sample, made)
            (folder / f"{sample.name}.html").write_text(html, encoding="utf-8")
            (folder / f"{sample.name}.txt").write_text(text, encoding="utf-8")
            for scheme, always in _SCHEMES.items():
                # A page cannot be told which colours the reader prefers; a changed style can.
                page = html.replace(_DARK, always)
                (folder / f"{sample.name}-{scheme}.html").write_text(page, encoding="utf-8")
            size = len(html.encode()) // 1000 + 1
            samples_shown.append(_Shown(sample.name, sample.title, made.subject, text, size))
        (folder / INDEX).write_text(_page(samples_shown), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the gallery cannot be written to {folder} ({error.strerror})"
        ) from error
    return folder / INDEX


def completed(sample: Sample, made: Rendered) -> Lines:
    """Both parts of a sample as they arrive: with the lines of its reader."""
    offer = Sender(SENDER, base_url=sample.site).offer(0)
    line = f"This mail went to {READER.email}."
    own = Lines(line, line)
    if sample.digest.feedback:
        own = Lines(line + offer.own.text, line + offer.own.html)
    return shown(made, own, offer.papers)


def _page(shown: list[_Shown]) -> str:
    template = environment(None, autoescape=True).get_template("gallery.html")
    return template.render(samples=shown, widths=WIDTHS)
