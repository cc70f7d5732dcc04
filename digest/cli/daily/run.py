"""`digest run`: one cycle, and what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import (
    Command,
    Context,
    flags_as,
    json_option,
    mistakes_json,
    now_option,
    say_where_mail_goes,
)
from digest.cli.daily.cycle import (
    CycleOptions,
    progress_line,
    rehearse,
    run_real_cycle,
    warn_of_trouble,
)
from digest.cli.daily.folder import FolderAnswer, say_what_the_folder_holds
from digest.cli.daily.health import alarm_on_failure
from digest.cli.readers.keywords import quarantine_advice
from digest.errors import UsageError
from digest.keywords.words import counted
from digest.mail.message import Message
from digest.model import Outcome
from digest.rules.channels import RULES
from digest.rules.words import in_words
from digest.setup.parts import clock_at
from digest.store.runs import KeywordRecord
from digest.subscribers.addresses import channel_of
from digest.times import in_utc, text_or_none, to_text

if TYPE_CHECKING:
    from digest.run.cycle import Summary


@dataclass(frozen=True, slots=True)
class RunFlags:
    """The flags of `digest run`."""

    now: datetime | None
    as_json: bool
    quiet: bool
    dry_run: bool
    fetch_all: bool
    wait: bool
    folder: str | None


@click.command(cls=Command, examples=("digest run", "digest run --dry-run", "digest run --json"))
@now_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong, as cron wants it.")
@click.option(
    "--dry-run", is_flag=True, help="Do all of it in a copy: write nothing, send nothing."
)
@click.option(
    "--fetch", "fetch_all", is_flag=True, help="Ask arXiv also for keywords that are not due."
)
@click.option(
    "--wait", is_flag=True, help="Wait up to two minutes for a network that is not up yet."
)
@click.option(
    "--folder",
    type=click.Choice([choice.value for choice in FolderAnswer]),
    help="What becomes of the last week's mail that only went to the folder.",
)
@flags_as(RunFlags)
def run(context: Context, flags: RunFlags) -> None:
    """Do one cycle: fetch what is due, mail what is new. With --wait this is what the timer calls.

    Repeating it does no harm: a paper that was mailed is not mailed again. After trouble the mail
    server is given a rest, which only a run without --wait does not keep, since whoever mended
    something wants to see it work. Where mail only went to a folder until now, '--folder mail' also
    mails what is there of the last 7 days, once and at once.
    """
    folder = FolderAnswer(flags.folder) if flags.folder else None
    if folder is FolderAnswer.MAIL and not context.settings.mails_for_real:
        raise UsageError(
            "mail still goes to the folder alone", remedy="set DIGEST_MAIL to a server first"
        )
    silent = flags.as_json or flags.quiet
    if not silent:
        say_where_mail_goes(context)
    with progress_line(context, quiet=silent) as progress:
        options = CycleOptions(
            flags.now, flags.fetch_all, flags.wait, folder=folder, progress=progress
        )
        if flags.dry_run:
            summary, messages = asyncio.run(rehearse(context.settings, options))
        else:
            with alarm_on_failure(context):
                summary, messages = asyncio.run(run_real_cycle(context, options)), []
    lines = () if flags.quiet else _lines(summary, messages, dry_run=flags.dry_run)
    context.show(summary_as_json(summary), lines, as_json=flags.as_json)
    warn_of_trouble(context, summary)
    if not silent and not flags.dry_run:
        say_what_the_folder_holds(context, clock_at(flags.now)())
    context.exit(summary.exit_code)


def summary_as_json(summary: Summary) -> dict[str, Any]:
    """The record of a run as `run --json` prints it."""
    return {
        "started": to_text(summary.started),
        "finished": to_text(summary.finished),
        "keywords": [
            {
                "keyword": k.keyword,
                "status": k.status,
                "fetched": k.fetched,
                "new": k.new,
                "revised": k.revised,
                "late": k.late,
                "requests": k.requests,
                "why": k.why,
            }
            for k in summary.keywords
        ],
        "unanswered": list(summary.unanswered),
        "next_fetch": text_or_none(summary.asked_again),
        "digests": {
            "composed": summary.composed,
            "sent": summary.outcomes[Outcome.SENT],
            # To a program both are one: the message is tried again by a later run.
            "deferred": summary.outcomes[Outcome.DEFERRED] + summary.outcomes[Outcome.RELAY],
            "failed": summary.outcomes[Outcome.FAILED],
            "unknown": summary.outcomes[Outcome.UNKNOWN],
        },
        "mistakes": mistakes_json(summary.mistakes),
    }


def _lines(summary: Summary, messages: list[Message], *, dry_run: bool) -> Iterator[str]:
    """Say in a few lines what a run did, and why nothing came where nothing did."""
    asked = [k for k in summary.keywords if k.status != "skipped"]
    for keyword in asked:
        yield from _keyword_lines(keyword)
    if not summary.keywords:
        yield "The subscribers file names no keyword: nothing to fetch."
    elif not asked:
        # Hundreds of keywords mostly share one reason.
        reasons = dict.fromkeys(k.why for k in summary.keywords)
        yield f"No keyword was due: {'; '.join(list(reasons)[:3])}."
    for message in messages:
        verb = RULES[channel_of(message.recipient)].would_leave
        yield f"Would be {verb} {message.recipient}: {len(message.data) // 1000 + 1} kB"
    if summary.awaited:
        yield f"{summary.awaited}."
    yield from _mail_lines(summary, sent="would be sent" if dry_run else "sent")


def _keyword_lines(record: KeywordRecord) -> Iterator[str]:
    """What came of one keyword that was asked for."""
    if record.status == "quarantined":
        held = f"{in_words(record.status)}, nothing is mailed from it"
        yield f"{record.keyword}: {held} ({record.why})"
        yield from (f"    {line}" for line in quarantine_advice(record.keyword))
        return
    counts = [record.status]
    if record.status == "ok":
        late = f", {record.late} of them announced late" if record.late else ""
        counts = [f"{record.new + record.late} new{late}"]
        counts += [counted(record.revised, "new version")] if record.revised else []
        if record.first and record.new:
            counts.append("noted as seen (a first digest shows the latest)")
    why = f" ({record.why})" if record.why else ""
    yield f"{record.keyword}: {', '.join(counts)}{why}"


def _mail_lines(summary: Summary, sent: str) -> Iterator[str]:
    """What became of the digests; `sent` says what became of those that went out."""
    others = (Outcome.DEFERRED, Outcome.RELAY, Outcome.FAILED, Outcome.UNKNOWN)
    words = {Outcome.SENT: sent} | {outcome: in_words(outcome) for outcome in others}
    counts = [f"{summary.outcomes[o]} {text}" for o, text in words.items() if summary.outcomes[o]]
    yield f"Digests: {', '.join(counts)}." if counts else "No digest was due."
    if summary.waiting:
        waiting = counted(summary.waiting, "digest")
        yield f"In the outbox: {waiting} ('digest outbox' tells why)."
    if summary.room_at:
        yield f"DIGEST_MAIL_RATE lets the next one leave at {in_utc(summary.room_at)}."
