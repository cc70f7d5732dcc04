"""`digest init`: from nothing to tomorrow's digest, by questions on a terminal or by flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click

from digest.cli.base import Command, Context, flags_as
from digest.cli.begin.init_ask import address, ask, hour, one_of, zone
from digest.cli.begin.init_files import (
    check_writable,
    choose_home,
    is_clone,
    is_installed,
    local_zone,
    read_env,
    save_env,
)
from digest.cli.begin.init_mail import PASSWORD, SETTINGS_OF_MAIL, MailSetup, try_out
from digest.cli.daily import timer
from digest.cli.readers.counts import PaperCounter, Recent, rate_words
from digest.cli.readers.describe import keyword_names, next_digest_line, schedule_words, warn_about
from digest.cli.readers.subscribe import PLAIN_RULES
from digest.errors import UsageError
from digest.keywords.grammar import describe, make_keyword
from digest.mail.presets import Preset, find_preset
from digest.model import Roster, Rule, Subscriber
from digest.setup.parts import machine_now
from digest.setup.settings import find_home, load_settings, survey_settings
from digest.setup.subscribers import roster_or_empty, subscribers_file
from digest.subscribers.edit import add_subscribers, roster_entry
from digest.subscribers.fields import Value
from digest.subscribers.transaction import check_or_begin
from digest.web.public import Public

KeywordChoice = tuple[str, Rule | None]
"""A keyword as it was written, and the rule that was chosen for it if it is a plain one."""

HOUR = "07:00"
SHOWN = 5
"""At most this many readers of an existing installation are listed."""


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of `digest init`; what was not given is asked for."""

    email: str | None
    keywords: tuple[str, ...]
    match: str | None
    at: str | None
    timezone: str | None
    provider: Preset | None
    yes: bool
    no_test_mail: bool
    no_timer: bool

    @property
    def asking(self) -> bool:
        """Whether there is somebody to be asked."""
        return sys.stdin.isatty() and not self.yes


@click.command(
    cls=Command,
    examples=(
        'digest init --email ada@example.org -k "reward model" --at 07:00 --provider folder'
        " --yes --no-timer",
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
    callback=lambda _ctx, _param, name: None if name is None else find_preset(name),
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
    home = _choose_home(context, asking=flags.asking)
    known = _known(context, home)
    # Whatever else is wrong in the settings is said before a question is asked.
    settings = load_settings({**context.flags, "DIGEST_MAIL": "maildir:mail"})
    # As an edit finds the file: it may be missing, empty, or hold comments alone.
    roster = check_or_begin(subscribers_file(settings)).roster
    form = Form(context, roster, PaperCounter(settings), flags)
    if flags.asking:
        form.show_what_exists(home)
    form.fill()
    setup = MailSetup(dict(known), form.email)
    if flags.asking:
        setup.ask(flags.provider)
    else:
        _refuse_missing([*form.missing, *setup.take(flags.provider)], flags)
        form.show_what_exists(home)
    setup.check_password(context.flags)
    if flags.provider and known.get("DIGEST_MAIL"):
        context.warn(
            f"--provider {flags.provider.name} changes nothing: how mail leaves is set already,"
            " and stays as it is"
        )
    # Nothing is written before mail is known to leave (docs/decisions.md, "The first test mail goes
    # out before anything is written").
    _try_out(context, home, form, setup)
    form.save(settings.subscribers)
    _save_settings(context, home, setup)
    if not flags.no_timer:
        timer.offer_install(context, assume_yes=flags.yes)
    _say_what_follows(context, home, form)


def _choose_home(context: Context, *, asking: bool) -> Path:
    """Find or propose the home folder; from here on it is named."""
    named = context.flags.get("DIGEST_HOME") or os.environ.get("DIGEST_HOME", "")
    home = choose_home(named, Path.cwd())
    if asking and not named and not is_installed(home):
        context.echo("Everything is kept in one folder: readers, settings, and what was sent.")
        if is_clone(Path.cwd()):
            context.echo("This folder is a clone of the project: the example in it is left alone.")
        home = ask("Folder", _folder, default=str(home))
    if not named and home == Path.cwd():
        survey_settings(context.flags)  # refuses a folder of somebody else's
    check_writable(home)
    # All settings that are read from here on must lie in this folder, also those of the timer.
    context.flags["DIGEST_HOME"] = str(home)
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


def _known(context: Context, home: Path) -> dict[str, str]:
    """The settings of mail that are known already: from flags, the environment, or the .env
    file.
    """
    env = read_env(home / ".env")
    return {
        name: value
        for name in SETTINGS_OF_MAIL
        if (value := context.flags.get(name) or os.environ.get(name) or env.get(name))
    }


def _refuse_missing(missing: list[str], flags: Flags) -> None:
    """Say which flags are needed where nobody can be asked."""
    if not missing:
        return
    *first, last = missing
    named = ", ".join([*first, f"and {last}" if first else last])
    no_terminal = "there is no terminal here to ask on"
    remedy = "name them, or leave out --yes" if flags.yes else no_terminal
    raise UsageError(f"init needs {named}", remedy=remedy)


class Form:
    """What is to be written about the reader: from flags or questions, and checked."""

    def __init__(
        self, context: Context, roster: Roster, counter: PaperCounter, flags: Flags
    ) -> None:
        self.context, self.roster, self.flags, self._counter = context, roster, flags, counter
        self.email = ""
        self.choices: list[KeywordChoice] = []
        self.fields: dict[str, Value] = {}

    @property
    def reader(self) -> Subscriber | None:
        """The reader as the file has them already."""
        return roster_entry(self.roster, self.email) if self.email else None

    @property
    def has_news(self) -> bool:
        """Whether the file will say anything that it does not say yet."""
        if self.reader is None:
            return True
        queries = {keyword.query for keyword in self.reader.keywords}
        names = {keyword.name.casefold() for keyword in self.reader.keywords}
        return any(
            text.casefold() not in names and make_keyword(text, None, rule).query not in queries
            for text, rule in self.choices
        )

    def show_what_exists(self, home: Path) -> None:
        """Say what is there already."""
        if not is_installed(home):
            self.context.echo(f"A new installation in {home}")
            return
        self.context.echo(f"There is an installation in {home}")
        readers = self.roster.subscribers
        for reader in readers[:SHOWN]:
            self.context.echo(
                f"  {reader.email}: {keyword_names(reader)}; {schedule_words(reader)}"
            )
        if readers[SHOWN:]:
            self.context.echo(f"  and {len(readers) - SHOWN} readers more")

    @property
    def missing(self) -> list[str]:
        """The flags that are needed where nobody is asked."""
        needed = {"--email": self.email, "--keyword": self.choices or self.reader}
        return [flag for flag, value in needed.items() if not value]

    def fill(self) -> None:
        """Find out who, what and when."""
        flags, readers = self.flags, self.roster.subscribers
        known = readers[0].email if len(readers) == 1 else ""
        self.email = self._answer(flags.email, "Your mail address", address, known)
        if flags.asking and self.reader:
            self.context.echo(f"{self.email} is a reader already; what is set there stays.")
        if flags.keywords:
            self._take_keywords(flags.keywords)
        elif flags.asking:
            self._ask_keywords()
        if self.reader:
            self._warn_of_what_stays(self.reader)
        else:
            at = self._answer(flags.at, "Not before (HH:MM, or none)", hour, HOUR)
            timezone = self._answer(flags.timezone, "Time zone", zone, local_zone(os.environ))
            self.fields = {"at": at, "timezone": timezone} if at else {"timezone": timezone}

    def _answer(
        self, given: str | None, question: str, check: Callable[[str], str], default: str
    ) -> str:
        """What a flag says, or else a person, or else the default."""
        if not given and self.flags.asking:
            return ask(question, check, default=default or None)
        text = given or default
        return check(text) if text else ""

    def _warn_of_what_stays(self, reader: Subscriber) -> None:
        """Say which flags change nothing, since the file says otherwise and is not overwritten."""
        at = f"{reader.at:%H:%M}" if reader.at else ""
        for name, given, check, had in (
            ("at", self.flags.at, hour, at),
            ("timezone", self.flags.timezone, zone, reader.timezone),
        ):
            if given and check(given) != had:
                stays = f"{name}: {had or 'none'}, which stays ('digest subscribe' changes it)"
                self.context.warn(f"{self.email} has {stays}")

    def _take_keywords(self, keywords: Iterable[str]) -> None:
        rule = Rule(self.flags.match) if self.flags.match else None
        for text in keywords:
            plain = make_keyword(text).rule is not Rule.QUERY
            self.choices.append((text, rule if plain else None))

    def _ask_keywords(self) -> None:
        """Ask for one keyword after the other until an empty answer; a first reader needs one."""
        self.context.echo(
            "Keywords, one at a time: a word, a phrase, or a query in arXiv's grammar,"
        )
        self.context.echo("such as ti:reward AND cat:cs.LG.")
        while True:
            enough = self.choices or self.reader
            question = "Another keyword (empty: that is all)" if enough else "Keyword"
            text = ask(question, _keyword, default="" if enough else None)
            if not text:
                return
            self.choices.append((text, self._choose_rule(text)))

    def _choose_rule(self, text: str) -> Rule | None:
        """Show what a keyword would bring; for a plain one, let the rule be chosen."""
        keyword = make_keyword(text)
        # Once arXiv could not be asked, no other keyword waits for it.
        can_ask = not self._counter.trouble
        if can_ask:
            self.context.echo("  asking arXiv")
        counts = self._counter.recent(text, None, machine_now())
        if can_ask and counts is None:
            why = self._counter.trouble
            self.context.echo(f"  arXiv cannot be asked now ({why}): no figures; going on without.")
        if counts:
            self._show_counts(text, counts)
        if keyword.rule is Rule.QUERY:
            return None
        rule = ask("  Rule (either, both, title)", one_of(PLAIN_RULES), default=str(keyword.rule))
        return Rule(rule) if rule != keyword.rule else None

    def _show_counts(self, text: str, counts: Recent) -> None:
        over = f"over the last {counts.days:.0f} days"
        if Rule.QUERY in counts.papers:
            self.context.echo(f"  {rate_words(counts.per_day(Rule.QUERY))}, {over}")
            return
        self.context.echo(f"  New papers by each rule, {over}:")
        for rule in counts.papers:
            meaning = describe(make_keyword(text, None, rule))
            self.context.echo(f"    {rule:7} {rate_words(counts.per_day(rule)):18} {meaning}")
        if not any(counts.papers.values()):
            self.context.echo("  Nothing matched: is it spelt right?")

    def save(self, path: Path) -> None:
        """Write the reader into the subscribers file, if anything is new."""
        if not self.has_news:
            self.context.echo(f"{path} stays as it is.")
            return
        # One edit gives all its plain keywords one rule, so that there is an edit for each run of
        # keywords with the same; the first makes the reader.
        fields = {} if self.reader else self.fields
        for rule, choices in groupby(self.choices, key=lambda choice: choice[1]):
            texts = [text for text, _ in choices]
            self.roster = add_subscribers(path, [self.email], texts, fields, match=rule).after
            fields = {}
        self.context.echo(f"Written: {path}")
        warn_about(self.context, [self.reader] if self.reader else [])


def _keyword(text: str) -> str:
    if text:
        make_keyword(text)
    return text


def _try_out(context: Context, home: Path, form: Form, setup: MailSetup) -> None:
    """Send a test mail where it is wanted: as a rule, where anything is new."""
    if form.flags.no_test_mail:
        return
    env, asking = home / ".env", form.flags.asking
    wanted = form.has_news or bool(setup.values.items() - read_env(env).items())
    if asking:
        wanted = click.confirm("Send a test mail now?", default=wanted)
    if wanted and not try_out(setup, context.flags, machine_now(), asking=asking):
        context.warn(f"mend it in {env} before the first digest is due")


def _save_settings(context: Context, home: Path, setup: MailSetup) -> None:
    """Write the .env file: what mail needs, and what was given by a flag."""
    path, others = home / ".env", {"DIGEST_HOME", *SETTINGS_OF_MAIL}
    flags = {name: value for name, value in context.flags.items() if name not in others}
    added, kept = save_env(path, {**setup.values, **flags})
    if added:
        context.echo(f"Written: {path} ({', '.join(added)})")
    elif not kept:
        context.echo(f"{path} stays as it is.")
    for name in kept:
        context.warn(f"{path} has another {name}, which stays: change it there")
    if added and PASSWORD in setup.values and path.stat().st_mode & 0o077:
        context.warn(f"others can read the password in {path}: chmod 600 {path}")


def _say_what_follows(context: Context, home: Path, form: Form) -> None:
    """Say when the first digest comes, and what can be done until then."""
    if form.reader:
        context.echo(next_digest_line(form.reader, machine_now(), first=True))
    # With a person there, the figures for their keywords came from arXiv.
    if not sys.stdin.isatty():
        context.echo(
            "arXiv was not asked for anything yet; 'digest doctor' checks whether it answers."
        )
    elsewhere = "" if find_home("", Path.cwd()) == home else f" --home {home}"
    context.echo(
        f"'digest preview{elsewhere}' shows what would come,"
        f" 'digest status{elsewhere}' what goes on."
    )
    settings = load_settings({**context.flags, "DIGEST_HOME": str(home)})
    public = Public.of(roster_or_empty(settings))
    context.echo(f"'digest serve' would show strangers {public.words}.")
