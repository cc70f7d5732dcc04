"""The URLs to which the digests of named readers go: as the subscribers file writes them, or in a
variable that it names. They hold tokens, so no word of theirs goes into a receipt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from digest.mail.message import EndedError
from digest.model import Outcome, Receipt

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def not_now(why: str) -> EndedError:
    """The end of an attempt before anything was sent, for a reason that may pass."""
    return EndedError(Receipt(Outcome.DEFERRED, why))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a reader's digests go, and what signs them; each a text or a `$VARIABLE`."""

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of readers, by their casefolded addresses, and the variables that they name."""

    known: Mapping[str, Target] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)

    def of(self, address: str) -> Target:
        """A reader's target with its variables filled in. Raises EndedError where there is none, or
        a variable is not set.
        """
        written = self.known.get(address.casefold())
        if written is None:
            raise not_now("the subscribers file no longer holds this reader")
        return Target(self._filled(written.url), self._filled(written.secret))

    def _filled(self, text: str) -> str:
        name = _VARIABLE.fullmatch(text)
        if name is None:
            return text
        variable = name[1] or name[2]
        if not self.variables.get(variable):
            raise not_now(f"the variable {variable}, which the subscribers file names, is not set")
        return self.variables[variable].strip()
