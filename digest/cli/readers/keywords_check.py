"""`digest keywords check`: how a keyword is read, what arXiv is asked, and what it would have
brought.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, now_option, pass_context
from digest.cli.readers.counts import PaperCounter, Recent
from digest.cli.readers.subscribe import PLAIN_RULES
from digest.errors import DigestError, QueryError
from digest.keywords.asked import asked_text, listed
from digest.keywords.grammar import describe, make_keyword, parse, terms
from digest.keywords.lint import warnings
from digest.keywords.match import stems
from digest.keywords.words import reading
from digest.model import Keyword, Paper, Rule
from digest.rendering.texts import printable_line
from digest.setup.parts import existing_store, machine_now
from digest.times import to_text

EXAMPLES = 5
TITLE_COLUMNS = 56
MANY = 30
"""More papers a day than this nobody reads."""
BROAD, BROADER = 100, 10
"""A prefix is too broad where more rows a day than BROAD, and BROADER times its matches, are asked
for."""
MEANINGS = {
    Rule.EITHER: "either  in title or abstract",
    Rule.BOTH: "both    in title and abstract",
    Rule.TITLE: "title   in the title",
    Rule.QUERY: "the query",
}

match_option = click.option(
    "--match", type=click.Choice(PLAIN_RULES), help="How a plain word or phrase matches."
)


@click.command(
    cls=Command,
    examples=(
        "digest keywords check reward model",
        "digest keywords check 'ti:\"reward model\" AND cat:cs.*'",
    ),
)
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@match_option
@click.option(
    "--offline",
    is_flag=True,
    help="Ask nobody: explain the query, count only what the database knows.",
)
@json_option
@now_option
@pass_context
def check(
    context: Context,
    words: tuple[str, ...],
    match: str | None,
    offline: bool,
    as_json: bool,
    now: datetime | None,
) -> None:
    """Show how a keyword is read, what arXiv is asked, and what it would have brought in the last
    days.

    Several words are one keyword; what the shell would take for itself, such as " and (, goes in
    quotes. arXiv is asked once, unless the database knows enough.
    """
    rule, text = Rule(match) if match else None, " ".join(words)
    try:
        keyword = make_keyword("keyword", text, rule)
    except QueryError as error:
        if not as_json:
            raise
        fault = {"error": error.message, "position": error.position, "remedy": error.remedy}
        context.print_json({"query": text, **fault})
        context.exit(error.exit_code)
    counter = PaperCounter(
        context.settings, trouble="nobody was asked (--offline)" if offline else ""
    )
    recent = _count(context, counter, text, rule, now or machine_now())
    doubts = [*warnings(text, rule), *_too_many(recent, keyword), *_too_broad(recent, keyword)]
    value = _values(keyword, recent, counter.trouble) | {"warnings": doubts}
    unknown = [] if offline else [f"\nNot counted: {counter.trouble}"]
    figures = figure_lines(keyword, recent) if recent else unknown
    context.show(value, [*reading_lines(keyword), *figures], as_json=as_json)
    for doubt in doubts if not as_json else ():
        context.warn(doubt)


def _count(
    context: Context, counter: PaperCounter, text: str, rule: Rule | None, now: datetime
) -> Recent | None:
    """What the keyword would have brought; a database that cannot be read keeps nobody from the
    answer.
    """
    try:
        with existing_store(context.settings) as store:
            return counter.recent(text, rule, now, store)
    except DigestError as error:
        # A locked or damaged database must keep nobody from trying a keyword out.
        context.warn(f"the database was not looked at: {error}")
        return counter.recent(text, rule, now)


def _too_many(recent: Recent | None, keyword: Keyword) -> list[str]:
    if recent is None or recent.per_day(keyword.rule) <= MANY:
        return []
    rate = round(recent.per_day(keyword.rule))
    advice = "add a word, a category, or choose a narrower rule with --match"
    return [f"this brings about {rate} papers a day; {advice}"]


def _too_broad(recent: Recent | None, keyword: Keyword) -> list[str]:
    """The doubt about a prefix for which arXiv has to be asked for far more than it matches."""
    node = parse(keyword.query)
    prefixes = [term.written for term in terms(node) if term.prefix and term.field != "cat"]
    rows = recent.rows_per_day if recent is not None else None
    if recent is None or rows is None or not prefixes:
        return []
    own = recent.per_day(keyword.rule)
    if rows <= BROAD or rows <= own * BROADER:
        return []
    return [
        f"to find all of {' and '.join(dict.fromkeys(prefixes))}, arXiv is asked for"
        f" {asked_text(keyword.query)}, about {rows:,.0f} rows a day, of which {own:.1f} match;"
        " a longer beginning asks for fewer"
    ]


def reading_lines(keyword: Keyword) -> Iterator[str]:
    """How the keyword is read, here and by arXiv."""
    node = parse(keyword.query)
    if keyword.rule is Rule.QUERY:
        yield "Matches"
        yield from (f"  {line}" for line in reading(node, stems))
    else:
        term = next(terms(node))
        by = "" if term.prefix else " ".join(stems(term.text))
        words = f"; words are compared by their stems: {by}" if by not in ("", term.text) else ""
        yield f"Matches {describe(keyword)}{words}."
    yield f"arXiv is asked for {asked_text(keyword.query)}"
    if listed(node) != node:
        yield "That may list more: of its answer counts what matches as said above."


def figure_lines(keyword: Keyword, recent: Recent) -> Iterator[str]:
    """The table of rules and days, and examples."""
    yield f"\n{'New papers of the last':<38}{'7 days':>10}{'30 days':>10}"
    for rule in recent.papers:
        mark = "  <- this" if rule is keyword.rule and len(recent.papers) > 1 else ""
        seven, thirty = (_number(recent, days, rule) for days in (7, 30))
        yield f"  {MEANINGS[rule]:<36}{seven:>10}{thirty:>10}{mark}"
    part = f", over the {recent.days:.0f} days that one answer holds"
    whole = recent.last(30, keyword.rule) is not None
    yield f"Counted by {recent.source}{'' if whole else part}."
    own = recent.papers[keyword.rule]
    yield from _examples("The newest:", own) if own else ["\nNone in this time."]
    widest, papers = next(iter(recent.papers.items()))
    yield from _examples(f"With --match {widest} also:", (p for p in papers if p not in own))


def _examples(heading: str, papers: Iterable[Paper]) -> Iterator[str]:
    """The newest few of the papers under a heading; nothing where there are none."""
    for paper in islice(papers, EXAMPLES):
        if heading:
            yield f"\n{heading}"
            heading = ""
        title = printable_line(paper.title, TITLE_COLUMNS)
        yield f"  {paper.id:<14} {paper.published:%m-%d}  {title}"


def _number(recent: Recent, days: int, rule: Rule) -> str:
    count = recent.last(days, rule)
    return f"{count:,}" if count is not None else f"about {recent.per_day(rule) * days:,.0f}"


def _values(keyword: Keyword, recent: Recent | None, trouble: str) -> dict[str, Any]:
    """How the keyword is read, and the figures, for JSON."""
    return {
        "query": keyword.query,
        "asked": asked_text(keyword.query),
        "rule": str(keyword.rule),
        "matches": describe(keyword),
        "reading": reading(parse(keyword.query), stems),
        "counted": _counted(recent) if recent else None,
        "not_counted": "" if recent else trouble,
    }


def _counted(recent: Recent) -> dict[str, Any]:
    rules = {
        rule.value: {
            "last_7_days": recent.last(7, rule),
            "last_30_days": recent.last(30, rule),
            "per_day": round(recent.per_day(rule), 3),
            "examples": [
                {"id": p.id, "title": p.title, "published": to_text(p.published)}
                for p in papers[:EXAMPLES]
            ],
        }
        for rule, papers in recent.papers.items()
    }
    return {"by": recent.source, "since": to_text(recent.start), "rules": rules}
