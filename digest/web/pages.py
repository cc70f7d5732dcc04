"""Pages filled from the templates in templates/web, or those of an operator's folder."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from digest.rendering.render import marked
from digest.rendering.templates import environment, template_errors
from digest.rendering.texts import shorten

ROOM = "web"
"""The folder of the templates, in the digest's own and in an operator's: what stands in it comes
before a mail's template of the same name."""


LEGAL = ("privacy", "imprint")
"""The pages of an operator that all others lead to, by the names of their templates."""


class Pages:
    """Fills the web's templates. `prefix` is the path of the web side in its public address;
    `notice` tops each page, `legal` are the pages in the operator's folder that all lead to, and
    with `signup` the archive leads to where people sign up.
    """

    def __init__(
        self, prefix: str = "", templates: Path | None = None, *, signup: bool = False
    ) -> None:
        self.prefix = prefix
        self._templates = _environment(templates) if templates else _built_in()
        self.style = self._style(templates)
        self.notice = ""
        own = templates / ROOM if templates else None
        self.legal = [name for name in LEGAL if own and (own / f"{name}.html").is_file()]
        self._values = {
            "root": prefix,
            "style": self.style_name,
            "signup": signup,
            "notice": lambda: self.notice,
            "legal": self.legal,
        }

    @property
    def style_name(self) -> str:
        """The style sheet's path, which another content has another of: so it can be kept for
        ever.
        """
        return f"static/{hashlib.sha256(self.style.encode()).hexdigest()[:16]}.css"

    def page(self, name: str, **values: Any) -> str:
        """A page. Its links begin with `root`, where that is not among the values: the prefix.

        Raises ConfigError where an operator's template is wrong.
        """
        with template_errors(f"{ROOM}/{name}"):
            return self._templates.get_template(name).render(self._values | values)

    @staticmethod
    def _style(folder: Path | None) -> str:
        own = folder / ROOM / "style.css" if folder else None
        if own is not None and own.is_file():
            return own.read_text(encoding="utf-8")
        return (resources.files("digest.templates") / ROOM / "style.css").read_text("utf-8")


def _environment(folder: Path | None) -> jinja2.Environment:
    templates = environment(folder, autoescape=True, room=ROOM)
    templates.filters |= {"marked": marked, "shorten": shorten}
    return templates


@cache
def _built_in() -> jinja2.Environment:
    # Compiling them takes longer than filling them.
    return _environment(None)
