"""The randomized check of the store's meaning: random histories against an oracle that has
teeth."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from digest.model import Digest, Item, Outgoing, Paper, Subscriber
from digest.ranking import Taste
from digest.rules import plan
from digest.rules.compose import Rank, compose
from digest.run.tastes import ranks
from tests.world.likes import BENT
from tests.world.model import BrokenError, World

MUTATIONS = {
    "one channel's server is given what another one carries": (
        "AND r.channel = :channel",
        "AND :channel <> ''",
    ),
    "what only held-back windows showed is forgotten": (
        "SELECT data, answer FROM held WHERE query = ?",
        "SELECT data, answer FROM held WHERE query = ? AND 0",
    ),
    "a window that is held back moves the guard": (
        "SET quarantined_since = COALESCE(quarantined_since, ?) WHERE",
        "SET last_good_at = '2026-09-01T00:00:00Z', quarantined_since = COALESCE(quarantined_since,"
        " ?) WHERE",
    ),
    "the ledger is not asked what was carried": (
        "SELECT MAX(cp.version) FROM delivery d",
        "SELECT NULL FROM delivery d",
    ),
    "what failed or expired is not made due again": (
        "SET position = GREATEST(start, LEAST(position, d.from_seq))",
        "SET position = position",
    ),
    "a rewind goes behind the start": (
        "SET position = GREATEST(start, LEAST(position, d.from_seq))",
        "SET position = LEAST(position, d.from_seq), start = LEAST(start, d.from_seq)",
    ),
    "an edited keyword drops what it had recorded": (
        "SET until = ?, ended_at = ? WHERE subscriber = ? AND query = ?",
        "SET until = 0 * ?, ended_at = ? WHERE subscriber = ? AND query = ?",
    ),
    "what may have been accepted is folded": (
        "state IN ('queued', 'deferred') AND maybe_accepted = 0",
        "state IN ('queued', 'deferred', 'unknown')",
    ),
    "what a person lets go again is folded": ("AND maybe_accepted = 0", "AND maybe_accepted >= 0"),
    "what a digest passed over since it lay outside comes back": (
        "GREATEST(position, LEAST(:end, COALESCE(until, :end)))",
        "position + 0 * :end",
    ),
    "the position of a closed subscription runs ahead": (
        "LEAST(:end, COALESCE(until, :end))",
        ":end",
    ),
    "a removed keyword stays due": ("m.seq <= COALESCE(s.until, :no_end)", "m.seq <= :no_end"),
    "a stopped handover counts as unsent": (
        "SET state = 'unknown', maybe_accepted = 1, owner",
        "SET state = 'queued', owner",
    ),
    "nobody remembers who was sent what is withdrawn": (
        "WHERE cp.paper = :paper AND cp.content >= :content",
        "WHERE cp.paper = :paper AND cp.content < 0 * :content",
    ),
    "the word of a withdrawal is lost with its mail": (
        "SET corrections = 1 WHERE id = (",
        "SET corrections = corrections WHERE id = (",
    ),
    "a withdrawal is told to those who want revisions only": ("p.withdrawn > 0", "p.withdrawn < 0"),
    "a withdrawal is told again and again": ("MAX(h.version) AS had", "1 AS had"),
    "an acceptance is forgotten by the next version": (
        "v.version <= m.version AND v.accepted = 1",
        "v.version = m.version AND v.accepted = 1",
    ),
    "nobody remembers who was told of a silence": (
        "t.subscriber = :reader AND",
        "t.subscriber = -:reader AND",
    ),
    "a silence begins before its reader came": (
        "GREATEST(q.matched, s.watched) >=",
        "q.matched >=",
    ),
    "what came back a second time hides what came back first": (
        "LEAST(position, first.seq - 1)",
        "position",
    ),
    "a copy that came back undoes the other": (
        "AND state = 'sent' AND maybe_accepted = 0",
        "AND state = 'sent'",
    ),
    "nobody knows which keywords arXiv has not answered": (
        "start IS NULL AND until IS NULL ORDER BY query",
        "start IS NULL AND until = 0 ORDER BY query",
    ),
    "a last mail goes with each run": (
        "UPDATE suppression SET farewell = ?",
        "UPDATE suppression SET farewell = COALESCE(farewell, ?)",
    ),
    "a link confirms an address again": (
        "UPDATE letter SET state = 'used' WHERE id = ? AND state = 'handed over'",
        "UPDATE letter SET state = 'used' WHERE id = ?",
    ),
    "what is changed on the page is not": (
        "UPDATE signup SET entry = ?, names = ?, at = ? WHERE subscriber = ?",
        "UPDATE signup SET entry = COALESCE(entry, ?), names = ?, at = ? WHERE subscriber = ?",
    ),
    "an undo brings back what was before another change": (
        "WHERE subscriber = ? AND id = ? AND at > ? AND entry <> ''",
        "WHERE subscriber = ? AND id <= ? AND at > ? AND entry <> '' ORDER BY id",
    ),
    "who takes a leave back was away": ("SET away = x.was_away", "SET away = away"),
    "who is held back by a mistake is taken for one who left": (
        "AND NOT EXISTS (SELECT 1 FROM mistake e WHERE e.subscriber = s.id AND",
        "AND NOT EXISTS (SELECT 1 FROM mistake e WHERE e.subscriber = -s.id AND",
    ),
    "who is held back is mailed what waits": (
        "WHERE e.subscriber = r.id AND e.until IS NULL",
        "WHERE e.subscriber = -r.id AND e.until IS NULL",
    ),
    "what is wanted by who is held back is not asked for": (
        "SELECT e.subscriber FROM mistake e WHERE e.until IS NULL",
        "SELECT -e.subscriber FROM mistake e WHERE e.until IS NULL",
    ),
    "a mistake that is mended holds back for ever": (
        "UPDATE mistake SET until = ? WHERE id",
        "UPDATE mistake SET since = ? WHERE id",
    ),
    "a roster that was read before somebody signed up lets them go": (
        "s.gone = 0 AND s.origin = 'file'",
        "s.gone = 0 AND s.origin <> ''",
    ),
    "a roster that was read before somebody left brings them back": (
        "u.subscriber IS NOT NULL AS signed_up",
        "s.origin = 'web' AS signed_up",
    ),
    "a sign-up comes back once the file lets go": (
        "DELETE FROM signup WHERE subscriber = :reader",
        "DELETE FROM signup WHERE subscriber = -:reader",
    ),
    "a wish outlives what it took away": (
        "DELETE FROM wish WHERE field = ? AND value = ?",
        "DELETE FROM wish WHERE 0 AND field = ? AND value = ?",
    ),
    "who left and comes back still lacks what they took away": (
        "DELETE FROM wish WHERE subscriber = :reader",
        "DELETE FROM wish WHERE subscriber = -:reader",
    ),
    "a later pause does not end the one before": (
        "DELETE FROM wish WHERE subscriber = ? AND field = ?",
        "DELETE FROM wish WHERE subscriber = ? AND field = ? AND 0",
    ),
    "a reader who moved is a new one": (
        "UPDATE subscriber SET address = ? WHERE id = ?",
        "UPDATE subscriber SET address = ? WHERE id = -?",
    ),
    "what arXiv only lists is dropped": (
        "AND s.start IS NOT NULL)",
        "AND s.start IS NOT NULL AND m.listed = 0)",
    ),
    "a receipt leaves out what the reader had before": (
        "needed IS NOT NULL OR kind = 'old'",
        "needed IS NOT NULL AND (had IS NULL OR had < needed) OR kind = 'old'",
    ),
    "what a reader has in a library is not due": (
        "AND s.start IS NOT NULL)",
        "AND s.start IS NOT NULL AND NOT EXISTS (SELECT 1 FROM library l"
        " WHERE l.subscriber = s.subscriber AND l.id = m.paper))",
    ),
    "who likes a paper is not sent it again as a new version": (
        "AND s.start IS NOT NULL)",
        "AND s.start IS NOT NULL AND NOT EXISTS (SELECT 1 FROM liked l"
        " WHERE l.subscriber = s.subscriber AND l.paper = m.paper))",
    ),
    "what was carried long ago is lost": (
        "SET contents = excluded.contents, papers = excluded.papers",
        "SET contents = contents, papers = papers",
    ),
    "the version that was carried long ago is lost": (
        "SELECT cp.content, cp.paper, cp.version, p.number",
        "SELECT cp.content, cp.paper, 1 AS version, p.number",
    ),
    "only the last month of long ago is looked at": (
        "FROM carried WHERE id IN many(?) ORDER BY id",
        "FROM carried WHERE id IN many(?) ORDER BY id DESC LIMIT 1",
    ),
    "the digest before is forgotten as it ages": (
        "SET digest_at = GREATEST(COALESCE(digest_at, ''), ?)",
        "SET digest_at = CASE WHEN ? IS NULL THEN '' END",
    ),
    "nobody remembers who was sent long ago what is withdrawn": (
        "INSERT INTO correction(subscriber, paper) VALUES(?, ?)",
        "INSERT INTO correction(subscriber, paper) SELECT s.id, p.id FROM subscriber s, paper p"
        " WHERE s.id = -? AND p.id = ?",
    ),
    "nobody looks for who was sent long ago what is withdrawn": (
        "FROM carried WHERE id > ? ORDER BY id LIMIT ?",
        "FROM carried WHERE id < 0 * ? ORDER BY id LIMIT ?",
    ),
    "who was sent what is withdrawn is not marked": (
        "SET corrections = 1 WHERE id IN many(?)",
        "SET corrections = corrections WHERE id IN many(?)",
    ),
    "the search for who had it ends with a step": (
        "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
        "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value ="
        " CASE WHEN key = 'withdrawals' AND value <> '[]' THEN '[]' ELSE excluded.value END",
    ),
    "what has not arrived counts once it is old": (
        "d.state NOT IN ('failed', 'expired', 'suppressed') AS carried",
        "1 AS carried",
    ),
    "an old list brings back who was forgotten": (
        "FROM forgotten WHERE mark IN many(?)",
        "FROM forgotten WHERE mark IN many(?) AND mark = ''",
    ),
    "who was forgotten can never come back": (
        "DELETE FROM forgotten WHERE mark = ?",
        "DELETE FROM forgotten WHERE mark = ? AND mark = ''",
    ),
    "a new reader has the number of one who was forgotten": (
        "SELECT value FROM meta WHERE key = ?",
        "SELECT value FROM meta WHERE key = ? AND key <> 'readers_until'",
    ),
    "a body goes while somebody waits for it": (
        "d.content = body.content AND d.state IN ('queued', 'leased', 'in_data', 'deferred',"
        " 'unknown')",
        "d.content = body.content AND d.state IN ('queued', 'leased', 'in_data')",
    ),
    "a body stays though nobody waits for it": (
        "DELETE FROM body WHERE content IN",
        "DELETE FROM body WHERE 0 AND content IN",
    ),
    "a body takes the place of one that somebody waits for": (
        "ON CONFLICT(content) DO NOTHING",
        "ON CONFLICT(content) DO UPDATE SET pieces = excluded.pieces",
    ),
    "a channel takes what is another one's": (
        "r.channel = :channel",
        "r.channel <> :channel || '!'",
    ),
    "a restored copy brings back who was forgotten since": (
        "SELECT * FROM forgotten",
        "SELECT * FROM forgotten WHERE mark = ''",
    ),
    "a restored copy loses who signed up since": (
        "MAX(at) AS at FROM (SELECT subscriber, at FROM signup)",
        "MAX(at) AS at FROM (SELECT subscriber, at FROM signup WHERE at = '')",
    ),
    "a restored copy brings back who had signed up and left since": (
        "SELECT GREATEST(COALESCE(MAX(s.ended_at), r.since), r.due_at) FROM",
        "SELECT '' FROM",
    ),
    "a restored copy forgets what was taken away since": (
        "FROM wish UNION ALL SELECT subscriber, at FROM choice WHERE entry LIKE",
        "FROM wish WHERE at = '' UNION ALL SELECT subscriber, at FROM choice WHERE entry =",
    ),
    "a restored copy brings back what was taken back since": (
        "FROM choice WHERE entry LIKE '[%'",
        "FROM choice WHERE entry LIKE '[%' AND at = ''",
    ),
    "a restored copy goes back to an address from which its reader moved": (
        "UPDATE subscriber SET address = :address WHERE id = :number",
        "UPDATE subscriber SET address = :address WHERE id = -:number",
    ),
    "who left the file and signed up since is the file's in a restored copy": (
        "UPDATE subscriber SET origin = 'web', gone = 0 WHERE id = ?",
        "UPDATE subscriber SET origin = 'file', gone = 1 WHERE id = ?",
    ),
    "a restored copy forgets what was agreed to since": (
        "words, at, place FROM consent ORDER BY id",
        "words, at, place FROM consent WHERE at = '' ORDER BY id",
    ),
    "maybe accepted is forgotten": (
        "maybe_accepted = GREATEST(maybe_accepted, :unknown)",
        "maybe_accepted = 0 AND :unknown",
    ),
    "whom the file took over since loses in a restored copy what they took away": (
        "DELETE FROM signup WHERE subscriber = :number",
        "DELETE FROM signup WHERE 0 AND subscriber = :number",
    ),
}

NOTICED: dict[str, list[tuple[int, bool]]] = {
    "a window that is held back moves the guard": [(56, True)],
    "what may have been accepted is folded": [(5, False)],
    "a silence begins before its reader came": [(17, False)],
    "a restored copy goes back to an address from which its reader moved": [(131, False)],
    "who left the file and signed up since is the file's in a restored copy": [(125, False)],
    "whom the file took over since loses in a restored copy what they took away": [(30, True)],
}
"""Histories that have noticed it, by seed and whether they are harsh: played first, to save time.
Where a change of the histories has made them blind, the others are searched as ever."""

LONGER = {"nobody remembers who was told of a silence"}
"""Rules about months: their histories go on for so much longer."""

LIKE_MUTATIONS = {
    "a link likes what the mail before had": (
        "WHERE d.id = ? AND cp.number > 0",
        "WHERE d.id = ? - 1 AND cp.number > 0",
    ),
    "papers have other numbers than in the mail": (
        "SELECT d.subscriber, r.links, cp.number, cp.paper",
        "SELECT d.subscriber, r.links, 1 + cp.number % 2 AS number, cp.paper",
    ),
}

CLOCK_MUTATIONS = {
    "what a wrong clock took for old stays so": (
        "UPDATE seen SET kind = ? WHERE seq = ?",
        "UPDATE seen SET kind = COALESCE(kind, ?) WHERE seq = ?",
    ),
    "what is judged again stands behind the position": (
        "SET position = GREATEST(start, LEAST(position, :seq - 1))",
        "SET position = GREATEST(start, LEAST(position, :seq + 0))",
    ),
    "the last good window stays where a wrong clock put it": (
        "UPDATE query SET last_good_at = :good",
        "UPDATE query SET last_good_at = COALESCE(last_good_at, :good)",
    ),
    "a slot stays used until a wrong clock's time": ("WHERE slot > :now", "WHERE 0 AND :now"),
    "nobody remembers by which time a command stamped": (
        "SELECT value FROM meta WHERE key = ?",
        "SELECT value FROM meta WHERE key = ? AND key <> 'stamped_until'",
    ),
    "who left by a wrong clock left in the future": (
        "UPDATE subscription SET ended_at = :now WHERE",
        "UPDATE subscription SET ended_at = :now WHERE 0 AND",
    ),
    "a repeat waits for a wrong clock's time": (
        "UPDATE delivery SET next_at = :then WHERE",
        "UPDATE delivery SET next_at = :then WHERE 0 AND",
    ),
    "a mail is older than what it carries": ("GREATEST(:now, :newest)", "COALESCE(:now, :newest)"),
}
"""Those that only a clock that goes wrong can show. What the latest run alone has seen is held by
tests/cli/test_clock.py: here commands have stamped as much."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of simulated failures need no log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def histories(seeds: range, *, harsh: bool = False) -> list[tuple[int, bool]]:
    """Histories by their seeds, and whether they are harsh."""
    return [(seed, harsh) for seed in seeds]


def run(
    played: Sequence[tuple[int, bool]],
    mutation: tuple[str, str] | None = None,
    *,
    clocks: bool = False,
    bend: Callable[[World], None] | None = None,
    calm: int = 20,
) -> tuple[int, bool]:
    """Play histories until one breaks; how many were played, and whether one broke. `clocks`: in
    each of them the clock goes wrong; `bend` takes a rule out of the program's code; `calm`: the
    days at the end on which all is well.
    """
    touched = False
    for number, (seed, harsh) in enumerate(played, 1):
        world = World(seed, mutation, harsh=harsh, clocks=clocks)
        if bend:
            bend(world)
        try:
            world.live(calm=calm)
        except BrokenError as broken:
            if mutation is None and bend is None:
                raise BrokenError(f"seed {seed}: {broken}") from broken
            return number, True
        finally:
            touched = touched or world.database.mutated
            world.store.close()
    assert mutation is None or touched, "the mutation names SQL that is no longer there"
    return len(played), False


def test_random_histories_lose_nothing_and_repeat_nothing() -> None:
    run(histories(range(1)))
    run(histories(range(1), harsh=True))


@pytest.mark.heavy
def test_histories_in_which_a_cycle_has_room_for_one_new_keyword(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "NEW_AT_ONCE", 1)
    run(histories(range(3000, 3003)))


PARTS = [
    histories(range(1, 20)),
    histories(range(1, 5), harsh=True),
    *(histories(range(first, first + 25)) for first in range(1000, 1200, 25)),
    *(histories(range(first, first + 20), harsh=True) for first in range(2000, 2080, 20)),
]
"""Some three hundred histories, in parts that processes share among them."""


@pytest.mark.heavy
@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"from {part[0][0]}")
def test_many_random_histories_lose_nothing_and_repeat_nothing(
    part: list[tuple[int, bool]],
) -> None:
    run(part)


@pytest.mark.heavy
@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_oracle_notices_when_a_rule_is_taken_out(rule: str) -> None:
    harsh, many = histories(range(120), harsh=True), histories(range(120, 300))
    # In turn, since some rules are broken by either kind alone.
    both = chain.from_iterable(zip(histories(range(120)), harsh, strict=True))
    calm = 60 if rule in LONGER else 20
    played, broken = run([*NOTICED.get(rule, ()), *both, *many], MUTATIONS[rule], calm=calm)
    assert broken, f"{played} histories, and nobody noticed: {rule}"


@pytest.mark.heavy
def test_the_oracle_notices_when_ranking_drops_a_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_the_last(
        taste: Taste, candidates: Sequence[Paper], subscriber: Subscriber, **how: bool
    ) -> dict[str, Rank]:
        found = ranks(taste, candidates, subscriber, **how)
        worst = min(found, key=lambda paper: found[paper].score)
        return {paper: rank for paper, rank in found.items() if paper != worst}

    def of_the_ranked(
        items: Sequence[Item], reader: Subscriber, *, ranks: Any = None, **how: Any
    ) -> Digest:
        chosen = [item for item in items if ranks is None or item.paper.id in ranks]
        return compose(chosen, reader, ranks=ranks, **how)

    monkeypatch.setattr("digest.run.compose.ranks", without_the_last)
    assert run(histories(range(2))) == (2, False), "what has no rank comes last"
    monkeypatch.setattr("digest.run.compose.compose", of_the_ranked)
    with pytest.raises(BrokenError, match="and told"):
        run(histories(range(20)))


@pytest.mark.heavy
@pytest.mark.parametrize("rule", CLOCK_MUTATIONS)
def test_the_oracle_notices_when_a_wrong_clock_is_not_put_right(rule: str) -> None:
    played, broken = run(histories(range(160)), CLOCK_MUTATIONS[rule], clocks=True)
    assert broken, f"{played} histories, and nobody noticed: {rule}"


@pytest.mark.heavy
@pytest.mark.parametrize("rule", [*LIKE_MUTATIONS, *BENT])
def test_the_book_of_likes_notices_when_a_rule_is_taken_out(rule: str) -> None:
    played, broken = run(histories(range(60)), LIKE_MUTATIONS.get(rule), bend=BENT.get(rule))
    assert broken, f"{played} histories, and nobody noticed: {rule}"


def _attached_anew(world: World) -> None:
    """Let each attempt have a file of its own."""
    kept = world.store.outbox.message

    def message(delivery: int, pieces: tuple[bytes, ...] = ()) -> Outgoing:
        outgoing = kept(delivery, pieces)
        *others, last = outgoing.pieces
        if b"application/x-research-info-systems" in last:
            last += f"attempt {outgoing.attempt}".encode()
        return replace(outgoing, pieces=(*others, last))

    world.store.outbox.message = message  # type: ignore[method-assign]


@pytest.mark.heavy
def test_the_oracle_notices_a_file_that_is_made_for_each_attempt() -> None:
    played, broken = run(histories(range(30), harsh=True), bend=_attached_anew)
    assert broken, f"{played} histories, and nobody noticed"


def carried(
    seed: int, *, likes: bool = True, models: bool = True, strangers: bool = True, days: int = 40
) -> tuple[list[tuple[object, ...]], Counter[str]]:
    """Which papers came to whom in a history, when, and how often; and what else happened in it."""
    random.seed(seed)  # the waits of deliveries have the program's own dice
    world = World(seed, likes=likes)
    if not models:
        world.models.name = ""
    world.strangers.on = strangers
    # What is liked by a wrong clock has the next run compare it, as any word of a reader's.
    world.clocks = False
    stats = world.live(days)
    came = [
        (each.address, each.queued_at, sorted(each.items), each.status, each.sends)
        for each in world.oracle.deliveries.values()
    ]
    world.store.close()
    return came, stats


@pytest.mark.heavy
def test_with_likes_and_without_the_same_papers_come_at_the_same_time() -> None:
    liked = 0
    for seed in range(3000, 3003):
        with_likes, count = carried(seed, likes=True)
        assert with_likes == carried(seed, likes=False)[0], seed
        liked += count["liked"]
    assert liked > 100


@pytest.mark.heavy
def test_with_strangers_who_look_at_previews_and_without_the_same_papers_come() -> None:
    for seed in range(3000, 3002):
        with_strangers, stats = carried(seed)
        assert with_strangers == carried(seed, strangers=False)[0], seed
        assert stats["answers"] > 5


@pytest.mark.heavy
def test_with_a_model_and_without_the_same_papers_come_at_the_same_time() -> None:
    said = 0
    for seed in (5, 12, 20):
        with_model, count = carried(seed, days=16)
        assert with_model == carried(seed, models=False, days=16)[0], seed
        said += count["mails with a model's words"]
    assert said > 10
