"""`digest init`: from nothing to tomorrow's digest, by questions on a terminal or by flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, flags_as
from digest.cli.begin.init_ask import address, ask, confirm, hour, one_of, zone
from digest.cli.begin.init_files import (
    Home,
    Saved,
    check_writable,
    choose_home,
    is_clone,
    local_zone,
    read_env,
    save_env,
)
from digest.cli.begin.init_mail import MAIL, Plan, ask_plan, plan_from_flags, try_out
from digest.cli.readers.counts import PaperCounter, in_words
from digest.cli.readers.describe import next_line, warn_about, when
from digest.cli.readers.subscribe import PLAIN_RULES
from digest.errors import DigestError, UsageError
from digest.mail.presets import find_preset
from digest.model import Roster, Rule, Subscriber
from digest.setup.parts import machine_now
from digest.setup.settings import find_home, load_settings
from digest.setup.subscribers import subscribers_file

if TYPE_CHECKING:
    from digest.subscribers.edit import Value

Wish = tuple[str, Rule | None]
"""A keyword as it was written, and the rule that was chosen for it if it is a plain one."""

HOUR = "07:00"


@dataclass(frozen=True, slots=True)
class Flags:
    """What was said on the command line; what was not is asked for."""

    email: str | None
    keywords: tuple[str, ...]
    match: str | None
    at: str | None
    timezone: str | None
    provider: str | None
    yes: bool
    no_test_mail: bool
    no_timer: bool


@click.command(
    cls=Command,
    examples=(
        'digest init --email ada@example.org -k "reward model" --at 07:00 --provider folder --yes --no-timer',
    ),
)
@click.option("--email", metavar="ADDRESS", help="Who gets the digest.")
@click.option(
    "-k",
    "--keyword",
    "keywords",
    multiple=True,
    help="A word, a phrase, or a query; as often as wanted.",
)
@click.option(
    "--match", type=click.Choice(PLAIN_RULES), help="How the plain keywords given here match."
)
@click.option(
    "--at", metavar="HH:MM", help="Not before this local time; none: as soon as the papers are in."
)
@click.option("--timezone", metavar="ZONE", help="Such as Europe/Berlin; left out: this machine's.")
@click.option(
    "--provider",
    metavar="NAME",
    help="How mail leaves: gmail, outlook, server, relay, sendmail, folder, …",
)
@click.option("--yes", is_flag=True, help="Ask nothing, take the defaults, and install the timer.")
@click.option("--no-test-mail", is_flag=True, help="Send no test mail.")
@click.option("--no-timer", is_flag=True, help="Do not offer the timer.")
@flags_as(Flags)
def init(context: Context, flags: Flags) -> None:
    """Set up a first digest: who, which keywords, when, and how mail leaves; then send a test mail.

    It asks on a terminal for what no flag says. Nothing that exists is overwritten; stop and repeat
    it as you like.
    """
    asking = sys.stdin.isatty() and not flags.yes
    if flags.provider is not None:
        find_preset(flags.provider)
    home = _settle_home(context, asking=asking)
    known = _known(context, home)
    # Whatever else is wrong in the settings is said before a question is asked.
    settings = load_settings({**context.flags, "DIGEST_MAIL": "maildir:mail"})
    roster = _roster(subscribers_file(settings))
    form = Form(context, roster, PaperCounter(settings), asking=asking)
    if asking:
        form.tell_what_exists(home)
        form.ask_reader(flags)
        plan = ask_plan(context, known, flags.provider, form.email)
    else:
        missing = form.take_reader(flags)
        plan, more = plan_from_flags(known, flags.provider, form.email)
        if missing or more:
            remedy = (
                "name them, or leave out --yes"
                if flags.yes
                else "there is no terminal here to ask on"
            )
            *first, last = [*missing, *more]
            raise UsageError(
                f"init needs {', '.join([*first, f'and {last}' if first else last])}", remedy=remedy
            )
        form.tell_what_exists(home)
    if flags.provider is not None and known.get("DIGEST_MAIL"):
        context.warn(
            f"--provider {flags.provider} changes nothing: how mail leaves is set already, and stays as it is"
        )
    news = form.has_news or bool(plan.values.items() - read_env(home.path / ".env").items())
    wanted = not flags.no_test_mail and (
        confirm("Send a test mail now?", default=news) if asking else news
    )
    if wanted and not try_out(context, plan, form.email, machine_now(), asking=asking):
        context.warn(f"mend it in {home.path / '.env'} before the first digest is due")
    form.save(settings.subscribers)
    _save_settings(context, home, plan)
    if not flags.no_timer:
        _offer_timer(context, assume_yes=flags.yes)
    _say_goodbye(context, home, form)


def _settle_home(context: Context, *, asking: bool) -> Home:
    """Find or propose the home folder; from here on it is named."""
    named = context.flags.get("DIGEST_HOME") or os.environ.get("DIGEST_HOME", "")
    home = choose_home(named, Path.cwd())
    if asking and not home.named and not home.exists:
        context.echo("Everything is kept in one folder: readers, settings, and what was sent.")
        if is_clone(Path.cwd()):
            context.echo("This folder is a clone of the project: the example in it is left alone.")
        path = ask("Folder", _folder, default=str(home.path))
        home = choose_home(str(path), Path.cwd())
    check_writable(home.path)
    context.flags["DIGEST_HOME"] = str(home.path)
    return home


def _folder(text: str) -> Path:
    if "@" in text:
        raise UsageError(
            f"{text!r} is a mail address",
            remedy="first the folder, then the address; Enter takes it",
        )
    path = find_home(text, Path.cwd())
    check_writable(path)
    return path


def _known(context: Context, home: Home) -> dict[str, str]:
    """The settings of mail that are known already: from flags, the environment, or the .env
    file.
    """
    env = read_env(home.path / ".env")
    found = {
        name: context.flags.get(name) or os.environ.get(name) or env.get(name, "") for name in MAIL
    }
    return {name: value for name, value in found.items() if value}


def _roster(path: Path) -> Roster:
    from digest.subscribers import load_roster

    if not path.exists() or not path.read_bytes().strip():
        return Roster((), ())
    return load_roster(path)


class Form:
    """What is to be written about the reader: settled by questions or flags, and checked."""

    def __init__(
        self, context: Context, roster: Roster, counter: PaperCounter, *, asking: bool
    ) -> None:
        self.context, self.roster, self._counter, self._asking = context, roster, counter, asking
        self.email = ""
        self.wishes: list[Wish] = []
        self.fields: dict[str, Value] = {}

    @property
    def reader(self) -> Subscriber | None:
        """The reader as the file has them already."""
        from digest.subscribers.edit import find_reader

        return find_reader(self.roster, self.email) if self.email else None

    @property
    def has_news(self) -> bool:
        """Whether the file will say anything that it does not say yet."""
        from digest.keywords.grammar import make_keyword

        reader = self.reader
        had = {keyword.query for keyword in reader.keywords} if reader else set()
        names = {keyword.name.casefold() for keyword in reader.keywords} if reader else set()
        return reader is None or any(
            text.casefold() not in names and make_keyword(text, None, rule).query not in had
            for text, rule in self.wishes
        )

    def tell_what_exists(self, home: Home) -> None:
        """Say what is there already."""
        if not home.exists:
            self.context.echo(f"A new installation in {home.path}")
            return
        self.context.echo(f"There is an installation in {home.path}")
        for reader in self.roster.subscribers[:5]:
            names = ", ".join(keyword.name for keyword in reader.keywords)
            self.context.echo(f"  {reader.email}: {names}; {when(reader)}")
        if len(self.roster.subscribers) > 5:
            self.context.echo(f"  and {len(self.roster.subscribers) - 5} readers more")

    def take_reader(self, flags: Flags) -> list[str]:
        """Settle it by flags; the flags that are missing come back."""
        missing = []
        email = flags.email or self._only_reader()
        if email:
            self.email = address(email)
        else:
            missing.append("--email")
        self._take_keywords(flags.keywords, flags.match)
        if not flags.keywords and not self.reader:
            missing.append("--keyword")
        if not self.reader:
            self._set_when(
                hour(flags.at or HOUR), zone(flags.timezone) if flags.timezone else _here()
            )
        self._keep(flags)
        return missing

    def ask_reader(self, flags: Flags) -> None:
        """Settle it by questions, for what no flag says."""
        if flags.email:
            self.email = address(flags.email)
        else:
            self.email = ask("Your mail address", address, default=self._only_reader() or None)
        if self.reader:
            self.context.echo(f"{self.email} is a reader already; what is set there stays.")
        self._take_keywords(flags.keywords, flags.match)
        if not flags.keywords:
            self._ask_keywords()
        if not self.reader:
            at = (
                hour(flags.at)
                if flags.at
                else ask("Not before (HH:MM, or none)", hour, default=HOUR)
            )
            named = flags.timezone
            self._set_when(at, zone(named) if named else ask("Time zone", zone, default=_here()))
        self._keep(flags)

    def _only_reader(self) -> str:
        readers = self.roster.subscribers
        return readers[0].email if len(readers) == 1 else ""

    def _set_when(self, at: str, timezone: str) -> None:
        self.fields = {"at": at, "timezone": timezone} if at else {"timezone": timezone}

    def _keep(self, flags: Flags) -> None:
        """Say which flags change nothing, since the file says otherwise and is not overwritten."""
        reader = self.reader
        if reader is None:
            return
        at = f"{reader.at:%H:%M}" if reader.at else ""
        if flags.at and hour(flags.at) != at:
            self.context.warn(
                f"{self.email} has at: {at or 'none'}, which stays ('digest subscribe' changes it)"
            )
        if flags.timezone and zone(flags.timezone) != reader.timezone:
            self.context.warn(
                f"{self.email} has timezone: {reader.timezone}, which stays ('digest subscribe' changes it)"
            )

    def _take_keywords(self, keywords: Iterable[str], match: str | None) -> None:
        from digest.keywords.grammar import make_keyword

        for text in keywords:
            plain = make_keyword(text).rule is not Rule.QUERY
            self.wishes.append((text, Rule(match) if match and plain else None))

    def _ask_keywords(self) -> None:
        """Ask for one keyword after the other until an empty answer; a first reader needs one."""
        self.context.echo(
            "Keywords, one at a time: a word, a phrase, or a query in arXiv's grammar,"
        )
        self.context.echo("such as ti:reward AND cat:cs.LG.")
        while True:
            if self.wishes or self.reader:
                text = ask("Another keyword (empty: that is all)", _keyword, default="")
            else:
                text = ask("Keyword", _keyword)
            if not text:
                return
            self.wishes.append((text, self._show(text)))

    def _show(self, text: str) -> Rule | None:
        """Show what a keyword would bring; for a plain one, let the rule be chosen."""
        from digest.keywords.grammar import describe, make_keyword

        keyword = make_keyword(text)
        if not self._counter.trouble:
            self.context.echo("  asking arXiv")
        unreachable = bool(self._counter.trouble)
        counts = self._counter.recent(text, None, machine_now())
        if counts is None and not unreachable:
            self.context.echo(
                f"  arXiv cannot be asked now ({self._counter.trouble}): no figures; going on without."
            )
        if keyword.rule is Rule.QUERY:
            if counts:
                self.context.echo(
                    f"  {in_words(counts.per_day(Rule.QUERY))}, over the last {counts.days:.0f} days"
                )
            return None
        if counts:
            self.context.echo(f"  New papers by each rule, over the last {counts.days:.0f} days:")
            for rule in counts.papers:
                meaning = describe(make_keyword(text, None, rule))
                self.context.echo(f"    {rule:7} {in_words(counts.per_day(rule)):18} {meaning}")
            if not any(counts.papers.values()):
                self.context.echo("  Nothing matched: is it spelt right?")
        rule = Rule(
            ask("  Rule (either, both, title)", one_of(PLAIN_RULES), default=str(keyword.rule))
        )
        return rule if rule is not keyword.rule else None

    def save(self, path: Path) -> None:
        """Write the reader into the subscribers file, if anything is new."""
        from digest.subscribers.edit import add_subscribers, find_reader

        if not self.has_news:
            self.context.echo(f"{path} stays as it is.")
            return
        fields = {} if self.reader else self.fields
        edit = None
        for rule, wishes in groupby(self.wishes, key=lambda wish: wish[1]):
            edit = add_subscribers(
                path, [self.email], [text for text, _ in wishes], fields, match=rule
            )
            fields = {}
        assert edit is not None
        self.roster = edit.after
        self.context.echo(f"Written: {path}")
        reader = find_reader(edit.after, self.email)
        warn_about(self.context, [reader] if reader else [])


def _keyword(text: str) -> str:
    from digest.keywords.grammar import make_keyword

    if text:
        make_keyword(text)
    return text


def _here() -> str:
    return local_zone(os.environ)


def _save_settings(context: Context, home: Home, plan: Plan) -> None:
    """Write the .env file: what mail needs, and what was given by a flag."""
    flags = {
        name: value for name, value in context.flags.items() if name not in (*MAIL, "DIGEST_HOME")
    }
    saved: Saved = save_env(home.path / ".env", {**plan.values, **flags})
    if saved.added:
        context.echo(f"Written: {saved.path} ({', '.join(saved.added)})")
    elif not saved.kept:
        context.echo(f"{saved.path} stays as it is.")
    for name in saved.kept:
        context.warn(f"{saved.path} has another {name}, which stays: change it there")
    if saved.open_to_others and "DIGEST_MAIL_PASSWORD" in plan.values:
        context.warn(f"others can read the password in {saved.path}: chmod 600 {saved.path}")


def _offer_timer(context: Context, *, assume_yes: bool) -> None:
    """Offer what makes it run by itself; that it cannot be installed here undoes nothing."""
    from digest.cli.daily.timer import offer_install

    try:
        offer_install(context, assume_yes=assume_yes)
    except DigestError as error:
        context.warn(f"the timer was not installed: {error}")


def _say_goodbye(context: Context, home: Home, form: Form) -> None:
    """Say when the first digest comes, and what can be done until then."""
    reader = form.reader
    if reader:
        context.echo(next_line(reader, machine_now(), first=True))
    if not sys.stdin.isatty():
        context.echo(
            "arXiv was not asked for anything yet; 'digest doctor' checks whether it answers."
        )
    elsewhere = "" if find_home("", Path.cwd()) == home.path else f" --home {home.path}"
    context.echo(
        f"'digest preview{elsewhere}' shows what would come, 'digest status{elsewhere}' what goes on."
    )
