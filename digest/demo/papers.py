"""Invented papers that look real, always the same for the same seed, and three days of an index of
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random

from digest.demo.words import AUTHORS, COMMENTS, NUMBERS, SUBTITLES, TEAMS, TOPICS, Topic
from digest.model import Paper
from digest.rules.calendar import NEW_YORK, SERVED, quiet_night

KEYWORDS = ("Reward Model", "Hallucination", "Time Series")

_THURSDAY = 3
_DRAWS = 20
LONG_TITLES = 0.2
"""The share of titles with a subtitle."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the tour: when Digest runs (UTC), what the index holds then, and what that
    shows.
    """

    now: datetime
    papers: tuple[Paper, ...]
    story: str


class World:
    """A source of invented papers; the same seed gives the same papers in the same order of
    calls.
    """

    def __init__(self, seed: int) -> None:
        # Everything is drawn from here: another order of calls makes other papers.
        self._random = Random(seed)  # noqa: S311 (nothing secret hangs on it)
        self._ids: set[str] = set()
        self._titles: set[str] = set()

    def paper(self, submitted: datetime, *topics: Topic) -> Paper:
        """Return a new paper about the topics, the first one foremost, submitted at that moment
        (UTC).
        """
        random = self._random
        main = topics[0]
        title, words = self._title(topics)
        categories = dict.fromkeys(category for topic in topics for category in topic.categories)
        base = self._id(submitted)
        return Paper(
            id=base,
            version=1,
            title=title,
            abstract=self._abstract(topics, words),
            authors=tuple(random.sample(AUTHORS, random.choice(TEAMS))),
            categories=(
                main.categories[0],
                *random.sample(list(categories)[1:], random.randint(0, len(categories) - 1)),
            ),
            published=submitted,
            updated=submitted,
            comment=self._fill(random.choice(COMMENTS), words) if random.random() < 0.6 else "",
            doi=f"10.5555/{base}" if random.random() < 0.1 else "",
        )

    def papers(self, number: int, first: datetime, last: datetime) -> tuple[Paper, ...]:
        """Return papers on topics in turn, submitted between two moments (UTC), newest first.

        Every sixth is about two topics; more of them are young than old.
        """
        span = (last - first).total_seconds()
        made = []
        for place in range(number):
            age = timedelta(seconds=int(span * self._random.random() ** 2) + 60)
            topics = (TOPICS[place % len(TOPICS)], TOPICS[(place + 1) % len(TOPICS)])
            made.append(self.paper(last - age, *topics[: 2 if place % 6 == 5 else 1]))
        return newest_first(made)

    def revise(self, paper: Paper, at: datetime) -> Paper:
        """Return the next version of a paper, announced in its comment."""
        version = paper.version + 1
        return replace(
            paper,
            version=version,
            updated=at,
            abstract=f"{paper.abstract} This version adds a second set of experiments.",
            comment=f"Version {version}: one more table, and a corrected proof in the appendix",
        )

    def _id(self, submitted: datetime) -> str:
        """An id of the month that rises with the time of submission, as arXiv's do."""
        number = submitted.day * 720 + submitted.hour * 30 + submitted.minute // 2
        # Two of the same two minutes would have one number.
        while (base := f"{submitted:%y%m}.{number:05d}") in self._ids:
            number += 1
        self._ids.add(base)
        return base

    def _title(self, topics: Sequence[Topic]) -> tuple[str, dict[str, str]]:
        """A title that no other paper of this world has, and the words that its topic is filled
        with.
        """
        random, main = self._random, topics[0]
        for draw in count():
            words = {
                "method": random.choice(main.methods),
                "thing": random.choice(main.things),
                "quality": random.choice(main.qualities),
            }
            title = self._fill(random.choice(main.titles), _capitals(words))
            if random.random() < LONG_TITLES:
                title += self._fill(random.choice(SUBTITLES), _capitals(words))
            if len(topics) > 1:
                title += f", with an Eye on {_title_case(topics[1].name)}"
            title = title[0].upper() + title[1:]
            if draw >= _DRAWS:  # so many papers that the words run out
                title += f", Part {draw - _DRAWS + 2}"
            if title not in self._titles:
                break
        self._titles.add(title)
        return title, words

    def _abstract(self, topics: Sequence[Topic], words: dict[str, str]) -> str:
        random, main = self._random, topics[0]
        middles = random.sample(main.middles, random.randint(8, 13))
        answer = random.randint(1, 4)
        sentences = [random.choice(main.openings), *middles[:answer], random.choice(main.answers)]
        if len(topics) > 1:
            sentences.insert(2, random.choice(topics[1].openings))
        sentences += [*middles[answer:], random.choice(main.ends)]
        return " ".join(self._fill(sentence, words) for sentence in sentences)

    def _fill(self, pattern: str, words: dict[str, str]) -> str:
        random = self._random
        return pattern.format(
            **words,
            number=random.choice(NUMBERS),
            pages=random.randint(8, 34),
            figures=random.randint(2, 9),
        )


def newest_first(papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """Return the papers as arXiv orders them by lastUpdatedDate, descending."""
    return tuple(sorted(papers, key=lambda paper: (paper.updated, paper.id), reverse=True))


def three_days(start: date, seed: int = 7) -> tuple[Day, Day, Day]:
    """Return a Thursday, the Friday and the Saturday after it: the first such on or after `start`.

    Thursday's index holds 36 papers of the last month, twelve for each keyword of KEYWORDS and some
    that match two. Friday's has eight more, one of them late (submitted twelve days before,
    announced only now), and a second version of one of Thursday's. Saturday's is Friday's: arXiv
    announces nothing on a Friday evening. Each run is at 01:30 New York time, a quarter of an hour
    after the announcement of the evening before can be asked for; weeks in which a holiday took one
    away are passed over.
    """
    thursday = start + timedelta(days=(_THURSDAY - start.weekday()) % 7)
    while quiet_night(_run_at(thursday)) or quiet_night(_run_at(thursday + timedelta(days=1))):
        thursday += timedelta(days=7)
    first, second, third = (_run_at(thursday + timedelta(days=days)) for days in range(3))
    world = World(seed)
    # An evening's announcement holds what was submitted until 14:00 in New York.
    closed = [moment - timedelta(hours=11, minutes=30) for moment in (first, second)]
    month = world.papers(36, closed[0] - timedelta(days=27), closed[0])
    fresh = world.papers(7, closed[0], closed[1])
    late = world.paper(closed[1] - timedelta(days=12, hours=3), TOPICS[0])
    revised = world.revise(month[5], closed[1] - timedelta(hours=5))
    friday = newest_first(
        [*(paper for paper in month if paper.id != revised.id), *fresh, late, revised]
    )
    return (
        Day(first, month, "the first run: what the last days brought, as a welcome"),
        Day(
            second,
            friday,
            "eight new papers, one of them late, and a new version of an earlier one",
        ),
        Day(third, friday, "no announcement on a Friday evening, so nothing new"),
    )


def _capitals(words: dict[str, str]) -> dict[str, str]:
    return {key: _title_case(text) for key, text in words.items()}


def _title_case(words: str) -> str:
    return " ".join(word.capitalize() if len(word) > 2 else word for word in words.split())


def _run_at(day: date) -> datetime:
    local = datetime.combine(day, SERVED, NEW_YORK) + timedelta(minutes=15)
    return local.astimezone(UTC)
