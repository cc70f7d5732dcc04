"""Whether strangers could see addresses: a workflow's log, and the branch that keeps its database,
may be public.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from digest.errors import ConfigError
from digest.setup.doctor.check import Check, fail, ok
from digest.setup.exposure import refuse_exposure

if TYPE_CHECKING:
    from digest.setup.settings import Survey


def check_exposure(survey: Survey, environ: Mapping[str, str]) -> Check:
    """The doctor's line: whether addresses stay among those who may know them."""
    from digest.setup.subscribers import read_roster

    name = "addresses"
    try:
        refuse_exposure(survey.settings, read_roster(survey.settings), environ)
    except ConfigError as error:
        return fail(name, error.message, error.remedy)
    return ok(name, "none that strangers could see")
