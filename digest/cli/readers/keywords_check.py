"""`digest keywords check`: how a keyword is read, what arXiv is asked, and what it would have
brought.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, now_option
from digest.cli.readers.subscribe import PLAIN_RULES, query_error
from digest.errors import DigestError, QueryError
from digest.model import Rule
from digest.setup.parts import existing_store, machine_now

if TYPE_CHECKING:
    from digest.cli.readers.counts import Counter, Recent
    from digest.model import Keyword, Paper

EXAMPLES = 5
TITLE_COLUMNS = 56
MANY = 30
"""More papers a day than this nobody reads."""
MEANINGS = {
    Rule.EITHER: "in title or abstract",
    Rule.BOTH: "in title and abstract",
    Rule.TITLE: "in the title",
    Rule.QUERY: "the query",
}


@click.command(
    cls=Command,
    examples=(
        "digest keywords check reward model",
        "digest keywords check 'ti:\"reward model\" AND cat:cs.*'",
    ),
)
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@click.option("--match", type=click.Choice(PLAIN_RULES), help="How a plain word or phrase matches.")
@click.option(
    "--offline",
    is_flag=True,
    help="Ask nobody: explain the query, count only what the database knows.",
)
@json_option
@now_option
@click.pass_context
def check(
    ctx: click.Context,
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
    from digest.keywords.grammar import make_keyword
    from digest.keywords.lint import warnings

    context = ctx.find_root().ensure_object(Context)
    rule, text = Rule(match) if match else None, " ".join(words)
    try:
        keyword = make_keyword("keyword", text, rule)
    except QueryError as error:
        if not as_json:
            raise query_error(error) from error
        context.print_json(
            {
                "query": text,
                "error": error.message,
                "position": error.position,
                "remedy": error.remedy,
            }
        )
        ctx.exit(int(error.exit_code))
    counter, recent = _count(context, text, rule, now or machine_now(), offline=offline)
    doubts = [*warnings(text, rule), *_too_many(recent, keyword)]
    if as_json:
        context.print_json(_values(keyword, recent, counter.trouble, doubts))
        return
    for line in _reading(keyword):
        context.echo(line)
    if recent is not None:
        for line in _figures(keyword, recent):
            context.echo(line)
    elif not offline:
        context.echo(f"\nNot counted: {counter.trouble}")
    for doubt in doubts:
        context.warn(doubt)


def _count(
    context: Context, text: str, rule: Rule | None, now: datetime, *, offline: bool
) -> tuple[Counter, Recent | None]:
    """What the keyword would have brought; a database that cannot be read keeps nobody from the
    answer.
    """
    from digest.cli.readers.counts import Counter

    counter = Counter(context.settings)
    if offline:
        counter.trouble = "nobody was asked (--offline)"
    try:
        with existing_store(context.settings) as store:
            return counter, counter.recent(text, rule, now, store)
    except QueryError:
        raise
    except DigestError as error:
        context.warn(f"the database was not looked at: {error}")
        return counter, counter.recent(text, rule, now)


def _too_many(recent: Recent | None, keyword: Keyword) -> list[str]:
    if recent is None or recent.per_day(keyword.rule) <= MANY:
        return []
    rate = round(recent.per_day(keyword.rule))
    return [
        f"this brings about {rate} papers a day; add a word, a category, or choose a narrower rule with --match"
    ]


def _reading(keyword: Keyword) -> list[str]:
    """How the keyword is read, here and by arXiv."""
    from digest.keywords.grammar import describe, parse, terms
    from digest.keywords.match import stems
    from digest.keywords.words import reading

    node = parse(keyword.query)
    if keyword.rule is Rule.QUERY:
        lines = ["Matches", *(f"  {line}" for line in reading(node, stems))]
    else:
        leaf = next(terms(node))
        by = "" if leaf.prefix else " ".join(stems(leaf.text))
        words = f"; words are compared by their stems: {by}" if by and by != leaf.text else ""
        lines = [f"Matches {describe(keyword)}{words}."]
    return [*lines, f"arXiv is asked for {keyword.query}"]


def _figures(keyword: Keyword, recent: Recent) -> list[str]:
    """The table of rules and days, and examples."""
    lines = [f"\n{'New papers of the last':<38}{'7 days':>10}{'30 days':>10}"]
    for rule in recent.papers:
        label = MEANINGS[rule] if rule is Rule.QUERY else f"{rule.value:<8}{MEANINGS[rule]}"
        mark = "  <- this" if rule is keyword.rule and len(recent.papers) > 1 else ""
        seven, thirty = (_number(recent, days, rule) for days in (7, 30))
        lines.append(f"  {label:<36}{seven:>10}{thirty:>10}{mark}")
    whole = (
        ""
        if recent.last(30, keyword.rule) is not None
        else f", over the {recent.days:.0f} days that one answer holds"
    )
    lines.append(f"Counted by {recent.source}{whole}.")
    own = recent.papers[keyword.rule]
    lines += ["\nThe newest:", *map(_example, own[:EXAMPLES])] if own else ["\nNone in this time."]
    widest, papers = next(iter(recent.papers.items()))
    if others := [paper for paper in papers if paper not in own][:EXAMPLES]:
        lines += [f"\nWith --match {widest.value} also:", *map(_example, others)]
    return lines


def _number(recent: Recent, days: int, rule: Rule) -> str:
    count = recent.last(days, rule)
    return f"{count:,}" if count is not None else f"about {recent.per_day(rule) * days:,.0f}"


def _example(paper: Paper) -> str:
    from digest.rendering.texts import clean

    return f"  {paper.id:<14} {paper.published:%m-%d}  {clean(paper.title, TITLE_COLUMNS)}"


def _values(
    keyword: Keyword, recent: Recent | None, trouble: str, doubts: list[str]
) -> dict[str, Any]:
    """Everything as plain values."""
    from digest.keywords.grammar import describe, parse
    from digest.keywords.match import stems
    from digest.keywords.words import reading
    from digest.times import to_text

    counted = None
    if recent is not None:
        counted = {
            "by": recent.source,
            "since": to_text(recent.start),
            "rules": {
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
            },
        }
    return {
        "query": keyword.query,
        "rule": str(keyword.rule),
        "matches": describe(keyword),
        "reading": reading(parse(keyword.query), stems),
        "counted": counted,
        "not_counted": trouble if recent is None else "",
        "warnings": doubts,
    }
