"""After a cycle: the operator hears of trouble, and the watchdog on the web that all is well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from digest.cli.base import Context
from digest.errors import ClockError, DigestError, Exit, TryLaterError
from digest.model import Channel
from digest.run import alert
from digest.setup.mail import make_sender, make_transport
from digest.setup.parts import existing_store, machine_now

if TYPE_CHECKING:
    from digest.run.cycle import Parts, Summary

log = logging.getLogger(__name__)


async def after_cycle(context: Context, parts: Parts, summary: Summary) -> None:
    """Report what a cycle showed. Whatever goes wrong here never fails the cycle."""
    settings = context.settings
    failure = _failure(summary)
    try:
        if settings.operator:
            alarm = alert.Alarm(
                parts.store,
                parts.mailer.carriers[Channel.MAIL].transport,
                parts.mailer.sender,
                settings.operator,
                settings.home,
                bool(settings.inbox),
            )
            await alert.after_cycle(alarm, parts.roster, failure, parts.clock())
        # The watchdog calls for help where no beat comes: a cycle in doubt gives none.
        is_well = failure == "" and not summary.paused and not summary.mistakes
        if settings.heartbeat_url and is_well:
            from digest.run.heartbeat import beat

            await beat(settings.heartbeat_url)
    except Exception:
        log.exception("the operator could not be told how the cycle went")


def _failure(summary: Summary) -> str | None:
    """Why a cycle failed, or "". None, neither: without a network, since a laptop on a train is no
    trouble.
    """
    if summary.exit_code == Exit.TRY_LATER:
        return None
    # While a channel's server is given a rest the alarm finds that in the database, as what it is.
    if summary.trouble and not summary.paused:
        return summary.trouble
    # Nor is a mistake in the subscribers file a failure of the cycle, which serves all others.
    failed = [
        f"{k.keyword}: {k.why}" for k in summary.keywords if k.status in ("failed", "quarantined")
    ]
    reasons = [*failed, *summary.given_up]
    return reasons[0] if summary.exit_code and reasons else ""


@contextmanager
def alarm_on_failure(context: Context) -> Iterator[None]:
    """Tell the operator of a run that could not work at all: a setting, a file or the database is
    wrong.
    """
    try:
        yield
    except DigestError as error:
        asyncio.run(tell_of_failure(context, error))
        raise


async def tell_of_failure(context: Context, error: DigestError) -> None:
    """Tell the operator of a run that could not work at all. Never fails: the error itself is
    raised, and said, in any case.
    """
    # A clock of which nobody could be asked is no news, as a network that is away is none.
    is_wrong_clock = isinstance(error, ClockError) and not error.__cause__
    if isinstance(error, TryLaterError) and not is_wrong_clock:
        return
    try:
        await _send_alarm(context, str(error))
    except Exception:
        log.debug("the operator could not be told", exc_info=True)


async def _send_alarm(context: Context, error: str) -> None:
    settings = context.settings
    with existing_store(settings) as store:
        if store is None or not settings.operator:
            return
        transport = make_transport(settings)
        try:
            alarm = alert.Alarm(
                store,
                transport,
                make_sender(settings, store),
                settings.operator,
                settings.home,
                bool(settings.inbox),
            )
            await alert.after_cycle(alarm, None, error, machine_now())
        finally:
            await transport.close()
