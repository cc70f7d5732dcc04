"""`digest keywords check`: how a keyword is read, what it would have brought, and what is probably
not meant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.keywords.categories import CATEGORIES, nearest_category
from digest.keywords.grammar import parse
from digest.keywords.lint import warnings
from digest.keywords.match import stems
from digest.keywords.words import reading
from digest.model import Paper
from tests.world.shell import Told, run_main
from tests.world.standin import ScriptedAnswer, Standin
from tests.world.worlds import World, reader

NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def paper(number: int, age: int, title: str, abstract: str) -> Paper:
    moment = NOW - age * DAY
    return Paper(
        f"2611.{number:05}",
        1,
        title,
        abstract,
        ("Ada Example",),
        ("cs.LG",),
        moment,
        moment + timedelta(hours=1),
    )


PAPERS = [
    *(paper(n, n, f"Reward models, part {n}", "On reward models.") for n in range(1, 9)),
    *(paper(10 + n, 3 * n, f"A study, part {n}", "On a reward model.") for n in range(1, 9)),
    paper(30, 20, "The reward model", "On something else."),
    paper(31, 40, "The old reward model", "On reward models."),
]


class Check:
    """The command in a home folder of its own, before a stand-in."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str], standin: Standin) -> None:
        self.home, self._capture, self.standin = home, capture, standin

    def __call__(self, *words: str, now: datetime = NOW) -> Told:
        options = ["--home", str(self.home), "--arxiv-api", self.standin.url, "--arxiv-delay", "0"]
        return run_main(
            ["keywords", "check", *words, "--now", now.isoformat(), *options], self._capture
        )


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Check]:
    with Standin(PAPERS) as standin:
        yield Check(tmp_path, capsys, standin)


def test_one_request_tells_how_many_papers_each_rule_would_have_brought(check: Check) -> None:
    told = check("reward", "models")
    assert (told.code, told.err) == (0, "")
    assert len(check.standin.requests) == 1
    assert told.out.splitlines()[:7] == [
        'Matches "reward models" in title or abstract;'
        " words are compared by their stems: reward model.",
        'arXiv is asked for (ti:"reward models" OR abs:"reward models")',
        "",
        "New papers of the last                    7 days   30 days",
        "  either  in title or abstract                 9        17  <- this",
        "  both    in title and abstract                7         8",
        "  title   in the title                         7         9",
    ]
    assert "Counted by arXiv." in told.out
    assert told.out.count("\n  2611.") == 5
    assert "  2611.00001     11-23  Reward models, part 1" in told.out


def test_a_narrow_rule_shows_what_a_wider_one_would_bring_too(check: Check) -> None:
    told = check("reward", "models", "--match", "both")
    assert "  both    in title and abstract                7         8  <- this" in told.out
    newest, also = told.out.split("With --match either also:")
    assert newest.count("\n  2611.") == also.count("\n  2611.") == 5
    assert "A study" in also
    assert "A study" not in newest


def test_a_query_is_shown_as_a_list_and_counted(check: Check) -> None:
    told = check('ti:"reward models" AND cat:cs.* ANDNOT (abs:robot* OR au:lovelace)')
    assert told.out.splitlines()[:11] == [
        "Matches",
        "  all of these:",
        '    "reward models" (stems: reward model) in the title',
        "    any category that begins with cs.",
        "  but not:",
        "    at least one of these:",
        "      a word that begins with robot in the abstract",
        "      lovelace among the authors, first and last name in either order",
        'arXiv is asked for ((ti:"reward models" AND cat:cs.*) ANDNOT au:lovelace)',
        "That may list more: of its answer counts what matches as said above.",
        "",
    ]
    assert "  the query                                    7         9\n" in told.out


def test_json_has_all_of_it(check: Check) -> None:
    value = check("reward models", "--json").json()
    assert value["counted"]["by"] == "arXiv"
    either = value["counted"]["rules"]["either"]
    assert (either["last_7_days"], either["last_30_days"], len(either["examples"])) == (9, 17, 5)
    assert either["examples"][0]["id"] == "2611.00001"
    assert set(value["counted"]["rules"]) == {"either", "both", "title"}
    assert value["reading"][0] == "at least one of these:"
    assert value["warnings"] == []


def test_offline_and_without_an_answer_it_still_explains(check: Check) -> None:
    told = check("reward", "models", "--offline")
    assert (told.code, len(check.standin.requests)) == (0, 0)
    assert len(told.out.splitlines()) == 2
    check.standin.script(ScriptedAnswer(status=503))
    told = check("reward", "models")
    assert told.code == 0
    assert len(check.standin.requests) == 1, "one request at most"
    assert told.out.splitlines()[0].startswith('Matches "reward models"')
    assert "Not counted: " in told.out
    check.standin.script(ScriptedAnswer(status=503))
    assert check("reward", "models", "--json").json()["not_counted"]


def test_what_the_database_knows_is_not_asked_again(tmp_path: Path, check: Check) -> None:
    world = World(tmp_path / "digest.db")
    world.readers = [reader("ada@example.org", "Alpha")]
    world.arxiv.papers["all:alpha"] = list(PAPERS)
    asyncio.run(world.cycle(NOW - timedelta(hours=5)))
    world.close()
    value = check("all:alpha", "--json").json()
    assert value["counted"]["by"] == "the database"
    assert value["counted"]["rules"]["query"]["last_30_days"] == 0, "none of them speaks of alpha"
    assert len(check.standin.requests) == 0
    assert check("all:alpha", "--json", now=NOW + 2 * DAY).json()["counted"]["by"] == "arXiv"


def test_a_page_that_does_not_reach_a_month_back_gives_rates(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.cli.readers.counts.PAPERS", 5)
    told = check("reward", "models")
    assert "about" in told.out
    assert "over the 4 days that one answer holds" in told.out
    assert (
        check("reward models", "--json").json()["counted"]["rules"]["either"]["last_30_days"]
        is None
    )


def test_a_keyword_that_brings_too_much_or_nothing_is_told(check: Check) -> None:
    check.standin.serve([paper(n, n % 3, "Reward models", "x") for n in range(300)])
    assert "about 10 papers a day" not in (told := check("reward", "models")).err
    check.standin.serve([paper(n, n % 3, "Reward models", "x") for n in range(1200)])
    told = check("reward", "models")
    assert "papers a day; add a word, a category" in told.err
    assert "None in this time." in check("zebra", "crossing").out


@pytest.mark.parametrize(
    ("query", "caret", "words"),
    [
        ("NLPOR cat:cs.LG", 3, "put blanks around it: NLP OR"),
        ("(ti:a AND b", 0, "this ( is not closed"),
        ("ti:a)", 4, "this ) closes nothing"),
        ("a AND", 2, "nothing stands after this AND"),
        ("ti:SU(2) AND x", 5, 'goes in quotes: ti:"SU(2)"'),
        ("C*-algebra", 1, 'leave it out: "c algebra"'),
        ("titel:x", 0, "did you mean"),
    ],
)
def test_a_mistake_is_pointed_at(check: Check, query: str, caret: int, words: str) -> None:
    told = check(query)
    assert told.code == 2
    said, source, mark = told.err.rstrip("\n").split("\n")
    assert words in said
    assert source.strip() == query
    assert mark.index("^") - source.index(query[0]) == caret
    value = check(query, "--json").json()
    assert value["position"] == caret
    assert len(check.standin.requests) == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("model", "large share of all papers"),
        ("time-series", "'time series', it may stand in either"),
        ("self-improvement AND x", "a hyphen counts as a blank"),
        ("NLPOR", "write 'NLP OR'"),
        ("cat:cs.LGG", "the nearest is 'cs.LG'"),
        ("cat:cs", "write cat:cs.*"),
    ],
)
def test_what_is_probably_not_meant_is_said(query: str, words: str) -> None:
    assert any(words in warning for warning in warnings(query))


@pytest.mark.parametrize(
    "query",
    ["time series", '"time-series"', "cat:hep-th", "au:del_maestro", "cat:astro-ph.CO AND x"],
)
def test_what_is_all_right_is_not_doubted(query: str) -> None:
    assert warnings(query) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cs.LGG", "cs.LG"),
        ("cs.ML", "cs.LG"),
        ("cs.NLP", "cs.CL"),
        ("math.QM", "q-bio.QM"),
        ("sc.LG", "cs.LG"),
        ("hep-thx", "hep-th"),
        ("physics.optic", "physics.optics"),
        ("cond-mat.supercon", "cond-mat.supr-con"),
        ("foo.bar", ""),
    ],
)
def test_the_nearest_category(name: str, meant: str) -> None:
    assert nearest_category(name) == meant
    assert meant == "" or meant in CATEGORIES


def test_terms_are_told_in_words() -> None:
    lines = reading(parse("mllm OR co:accepted OR jr:annals OR all:x* OR cat:hep-th"), stems)
    assert lines == [
        "at least one of these:",
        "  mllm in any field",
        "  accepted in the comment",
        "  annals in the journal reference",
        "  a word that begins with x in any field",
        "  the category hep-th",
    ]


def test_a_prefix_that_asks_for_too_much_says_so_with_the_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.cli.readers.counts.PAPERS", 40)
    monkeypatch.setattr("digest.cli.readers.keywords_check.BROAD", 5)
    broad = [paper(n, n % 4, f"General results {n}", "On genera.") for n in range(60)]
    wanted = [paper(500 + n, 3 + n, "It generalizes", "Nothing else") for n in range(9)]
    with Standin([*broad, *wanted]) as standin:
        check = Check(tmp_path, capsys, standin)
        told = check("ti:generaliz*", "--json")
        (doubt,) = told.json()["warnings"]
        assert told.json()["asked"] == "ti:gener*"
        assert doubt.startswith("to find all of generaliz*, arXiv is asked for ti:gener*, about")
        assert "rows a day, of which" in doubt
        assert check("ti:generalizes", "--json").json()["warnings"] == []
