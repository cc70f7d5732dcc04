"""What readers say themselves in the randomized world: they sign up, change, leave, take away what
the file gives them, and move between file and sign-up and from address to address; and the books
that are kept of it, in plain Python.
"""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from digest.errors import ConfigError
from digest.model import (
    Away,
    Keyword,
    Mistake,
    Origin,
    Revisions,
    Roster,
    Rule,
    SignUp,
    Subscriber,
    Weekly,
)
from digest.store.letters import Asked, LetterKind
from digest.store.readers import is_of_file
from digest.subscribers.book import Book, with_wishes
from digest.subscribers.check import Checked
from digest.subscribers.follow import follow_text
from digest.web.choices import Choices
from digest.web.readers import Known

if TYPE_CHECKING:
    from tests.world.model import World


# Who wants new versions, and does so for good: the books know nothing of those passed over.
WISHES = {"r1": Revisions.ALL, "r2": Revisions.PUBLISHED, "gi": Revisions.ALL}


@dataclass(frozen=True)
class Taken:
    """What a reader of the file took away: a day, or a query and its name."""

    kind: Away
    value: str
    entry: str

    def holds(self, reader: Subscriber) -> bool:
        """Whether the file still says what it said then."""
        if self.kind is Away.PAUSE:
            return self.entry == str(reader.paused_until or "")
        return any(self.is_about(keyword) for keyword in reader.keywords)

    def is_about(self, keyword: Keyword) -> bool:
        return self.value == keyword.query or self.entry == keyword.name


def rename_in(book: dict[str, Any], old: str, new: str) -> None:
    """Put what a book has of a reader under their new address; "": they are forgotten."""
    if old in book:
        held = book.pop(old)
        if new:
            book[new] = replace(held, email=new) if isinstance(held, Subscriber) else held


@dataclass(frozen=True)
class Then:
    """Of the books what a backup is compared with: who had signed up by then, what was taken away,
    and when.
    """

    signed: dict[str, Subscriber]
    taken: dict[str, set[Taken]]
    pressed: dict[str, datetime]


@dataclass(frozen=True)
class _Readers:
    """The readers of a web side, of which a press of a button needs the file alone."""

    of_file: Book

    def book(self) -> Book:
        """What the file says."""
        return self.of_file


def _form(reader: Subscriber) -> dict[str, str]:
    """The page of choices as a reader fills it."""
    days = {f"day_{day}": "on" for day in reader.days}
    return days | {
        "keywords": "\n".join(keyword.name for keyword in reader.keywords),
        "at": f"{reader.at:%H:%M}" if reader.at else "",
        "timezone": reader.timezone,
        "order": reader.order,
        "abstracts": reader.abstracts,
        "revisions": reader.revisions,
        "paused_until": reader.paused_until.isoformat() if reader.paused_until else "",
    }


@cache
def _checked(text: str) -> Checked:
    """The rest of the file, which seldom differs from day to day."""
    return follow_text(text, "file", str).checked


class OwnWords:
    """Who signed up, what was taken away, and whom a roster is to hold for all that."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random, self.agreeing = random.Random(seed), random.Random(seed + 3)
        self.undoing = random.Random(seed + 7)
        self.names = {f"N{n}": query for n, query in enumerate(world.queries)}
        self.missing: set[str] = set()
        """Names that the file lacks at present."""
        self.signed: dict[str, Subscriber] = {}
        self.taken: dict[str, set[Taken]] = {}
        self.agreed: dict[str, list[str]] = {}
        """In what words each agreed to what, in their order."""
        self.before: dict[str, Subscriber | frozenset[Taken]] = {}
        """What came to a reader, or had been taken away, before the last press on the page."""
        self.undo_numbers: dict[str, int] = {}
        """The number of that press in the link by which it is undone."""
        self.pressed: dict[str, datetime] = {}
        """When a reader of the file last took something away on the page, or back."""
        self.paragraphs = itertools.count()
        self.moves = 0

    # -- what they do

    def speak(self) -> None:
        """Let some of them do something, each in a transaction that may be killed."""
        if self.random.random() < 0.1:
            self.missing ^= {self.random.choice(sorted(self.names))}
        often = 0.02 if self.world.backup else 0.1
        # A repository says nothing.
        for address in [one for one in self.world.people if "@" in one]:
            if address in self.signed:
                self._change_mind(address)
            elif address in self.world.roster:
                self._take_away(address, self.world.roster[address])
            elif address not in self.world.roster and self.random.random() < often:
                self.sign_up(address)
            if self.random.random() < 0.01:
                self._move(address)
            if self.agreeing.random() < 0.02:
                self._agree(address)
            if self.undoing.random() < 0.03:
                self._undo(address)

    def interrupt(self) -> None:
        """Let somebody sign up or leave after a run has read the roster."""
        address = self.random.choice([one for one in self.world.people if "@" in one])
        if address in self.signed and address not in self.world.roster:
            if self.random.random() < 0.1:
                self._leave(address)
        elif address not in self.world.roster and self.random.random() < 0.2:
            self.sign_up(address)

    def sign_up(self, address: str) -> None:
        reader, store, now = self._reader(address), self.world.store, self.world.clock()
        words = ""
        if self.random.random() < 0.5:
            if store.signups.sign_up(self._sign_up(reader), now) is None:
                return  # the file had the reader when it was last followed
        elif not (words := self._by_letter(self._sign_up(reader))):
            return
        # Whom the file has is mailed again, and stays the file's.
        if store.signups.of(address) is not None:
            self.signed[address] = reader
            self.before.pop(address, None)
            if words:
                self.agreed.setdefault(address, []).append(words)
        self.world.suppressed.discard(address)
        self.world.forgotten.discard(address)
        self.world.away_before.pop(address, None)
        self.world.stats["signed up"] += 1

    def _by_letter(self, signup: SignUp) -> str:
        """Ask for a letter, and confirm the address by it; returns what was agreed to by that, ""
        where it was one too many.
        """
        words = self._words()
        letters, now = self.world.store.letters, self.world.clock()
        letters.ask(Asked(LetterKind.SIGN_UP, signup.email, "here", None, signup, words), now)
        asked = [one for one in letters.wanted(now) if one.signup == signup]
        if not asked:
            return ""
        letters.enter_data(asked[-1], now)
        letter = letters.of(asked[-1].id)
        assert letter is not None
        self.world.stats["confirmed"] += 1
        if self.world.store.signups.confirm(letter, now) is None:
            raise self.world.broken(f"{signup.email} could not confirm")
        # No kill may come before the books know of what was confirmed.
        with self.world.without_faults():
            again = self.world.store.signups.confirm(letter, now)
        if again is not None:
            raise self.world.broken(f"{signup.email} confirmed twice")
        return letter.words

    def _on_the_page(self, address: str, reader: Subscriber, **form: str) -> None:
        """Press a button of the page of choices."""
        store = self.world.store
        number = store.subscribers.number(address) or 0
        known = Known(
            number,
            address,
            self.less_taken(reader),
            reader,
            store.signups.of(address),
            tuple(store.wishes.of(number)),
        )
        there = self._there()
        public = tuple(Keyword(name, query, Rule.QUERY) for name, query in there.items())
        file = Roster((), (), public=public)
        book = Book(_checked(f"keywords: {json.dumps(there)}"), file, str)
        page = Choices(None, None, None, self.world.clock, _Readers(book))  # type: ignore[arg-type]
        page._do(store, known, form, "here")
        self.world.stats["pages"] += 1
        self.undo_numbers[address] = self._last_choice(number)
        if address not in self.signed:
            self.pressed[address] = self.world.clock()

    def _last_choice(self, number: int) -> int:
        """The number of a reader's last change."""
        last = "SELECT MAX(id) FROM choice WHERE subscriber = ?"
        return self.world.database.number(last, [number])

    def _there(self) -> dict[str, str]:
        """The names that the file has at present."""
        return {name: query for name, query in self.names.items() if name not in self.missing}

    def _words(self) -> str:
        return f"I agree to this, and to paragraph {next(self.paragraphs)}."

    def _agree(self, address: str) -> None:
        """Let a reader agree to something, if they are one."""
        words = self._words()
        reader = self.world.database.number(
            "SELECT id FROM subscriber WHERE address = ?", [address]
        )
        if self.world.store.preferences.agree(reader, words, self.world.clock()):
            self.agreed.setdefault(address, []).append(words)

    def _change_mind(self, address: str) -> None:
        luck, reader = self.random.random(), self.signed[address]
        # Else hardly anybody who had signed up has left when a backup is restored.
        often = 0.08 if self.world.backup else 0.03
        if luck < often and address not in self.world.roster:
            self._leave(address)
        elif luck < often + 0.07:
            until = self.world.now + timedelta(days=self.random.randint(1, 9))
            pause = None if reader.paused_until else until.date()
            other = replace(
                self._reader(address),
                paused_until=pause,
                max_papers=reader.max_papers,
                within=reader.within,
            )
            # The page takes no name that the file lacks.
            there = self.missing.isdisjoint(keyword.name for keyword in other.keywords)
            if there and self.world.store.signups.of(address) is not None:
                self._on_the_page(address, reader, button="save", **_form(other))
                self.signed[address] = other
                self.before.pop(address, None)
                # What changes nothing leaves nothing to undo.
                if _form(other) != _form(reader):
                    self.before[address] = reader

    def _undo(self, address: str) -> None:
        """Let a reader undo the last press on the page, if nothing else came in between."""
        before, world = self.before.pop(address, None), self.world
        number = world.store.subscribers.number(address) or 0
        # Whoever has left has no number.
        if before is None or not number:
            return
        press = self.undo_numbers[address]
        if (last := self._last_choice(number)) != press:
            raise world.broken(f"{address}'s change {press} is number {last} by now")
        # What a wrong clock dated long ago is no longer kept.
        if world.store.choices.one(number, press, world.clock()) is None:
            return
        if isinstance(before, Subscriber):
            there = self.missing.isdisjoint(keyword.name for keyword in before.keywords)
            if not there or address not in self.signed or world.store.signups.of(address) is None:
                return
            self._on_the_page(address, self.signed[address], button=f"undo:{press}")
            self.signed[address] = replace(before, email=address)
        elif address in world.roster and address not in self.signed and self._is_the_files(number):
            self._on_the_page(address, world.roster[address], button=f"undo:{press}")
            self.taken[address] = set(before)
        world.stats["undone"] += 1

    def _leave(self, address: str) -> None:
        self.world.store.subscribers.remove(address, self.world.clock())
        del self.signed[address]
        self.before.pop(address, None)
        self.world.stats["signed off"] += 1

    def _take_away(self, address: str, reader: Subscriber) -> None:
        luck = self.random.random()
        number = self.world.database.number(
            "SELECT id FROM subscriber WHERE address = ?", [address]
        )
        own = self.taken.setdefault(address, set())
        kept = self.less_taken(reader).keywords
        if luck < 0.04 and len(kept) > 1:
            keyword = self.random.choice(kept)
            if self._is_the_files(number):
                self._on_the_page(address, reader, button=f"leave:{keyword.name}")
                self.before[address] = frozenset(own)
                own -= {one for one in own if one.value == keyword.query}
                own.add(Taken(Away.KEYWORD, keyword.query, keyword.name))
                self.world.stats["keywords left"] += 1
        elif luck < 0.06:
            until = (self.world.now + timedelta(days=self.random.randint(1, 9))).date()
            entry = str(reader.paused_until or "")
            if self._is_the_files(number):
                day = until.isoformat()
                self._on_the_page(address, reader, button="pause", paused_until=day)
                self.before[address] = frozenset(own)
                own -= {one for one in own if one.kind is Away.PAUSE}
                own.add(Taken(Away.PAUSE, until.isoformat(), entry))
        elif luck < 0.1 and own:
            one = self.random.choice(sorted(own, key=str))
            if self.random.random() < 0.5:
                self.end(address, one)
            elif self._is_the_files(number):
                self._on_the_page(address, reader, button=f"back:{one.kind} {one.value}")
                self.before[address] = frozenset(own)
                own.discard(one)

    def _is_the_files(self, number: int) -> bool:
        """Whether the file had the reader when it was last followed."""
        return is_of_file(self.world.database, number)

    def end(self, address: str, taken: Taken) -> None:
        """Let what was taken away come again, as `digest subscribe` does."""
        wishes = self.world.store.wishes
        named = (
            wish
            for wish in wishes.all()
            if (wish.email, wish.field, wish.value) == (address, taken.kind, taken.value)
        )
        wishes.end(named)
        self.taken[address].discard(taken)

    def _move(self, old: str) -> None:
        """Give a reader another address: whatever is known of them goes along."""
        world = self.world
        new = f"{old[:2]}m{self.moves}@example.org"
        if not world.store.subscribers.move(old, new):
            return
        self.moves += 1
        world.stats["moved"] += 1
        world.people[world.people.index(old)] = new
        world.suppressed.discard(old)
        books = (world.roster, self.signed, world.mistaken, world.away_before, self.taken)
        for book in (*books, self.agreed, self.before, self.undo_numbers, self.pressed):
            rename_in(book, old, new)
        if world.backup:
            world.backup.since.append((old, new))
        world.oracle.move(old, new)
        world.likes.move(old, new)

    def forget(self, address: str) -> None:
        """A reader was forgotten, and what they said with them."""
        self.signed.pop(address, None)
        self.taken.pop(address, None)
        self.agreed.pop(address, None)
        self.before.pop(address, None)
        self.pressed.pop(address, None)

    def restored(self, then: Then, left: set[str]) -> None:
        """A backup was restored: who signed up since has, who left or was forgotten stays so, and
        whom the file took over is handed over once more, but for those who have taken something
        away since, or back. What is taken away stays as it is.
        """
        for address in then.taken.keys() | self.taken.keys():
            mine, since = then.taken.get(address, set()), self.taken.get(address, set())
            self.world.stats["taken away since a backup"] += not since <= mine
            self.world.stats["taken back since a backup"] += not mine <= since
        by_then = then.signed
        self.world.stats["signed off since a backup"] += len(
            by_then.keys() & left - self.signed.keys()
        )
        for address in by_then.keys() - self.signed.keys() - left:
            if self.pressed.get(address) == then.pressed.get(address):
                self.signed[address] = by_then[address]
        for address in self.signed.keys() - by_then.keys():
            self.world.away_before.pop(address, None)
            self.world.stats["signed up since a backup"] += 1

    def judge_agreed(self) -> None:
        """Whatever readers agreed to is kept in their own words, and nothing else."""
        kept: dict[str, list[str]] = {}
        for row in self.world.database.rows(
            """SELECT r.address, c.words FROM consent c JOIN subscriber r ON r.id = c.subscriber
               ORDER BY c.id"""
        ):
            kept.setdefault(row["address"], []).append(row["words"])
        if kept != self.agreed:
            raise self.world.broken(f"agreed is {kept}, and was {self.agreed}")

    def calm(self) -> None:
        """All is well from now on: no pause of their own, and every name is there."""
        self.missing.clear()
        for address, reader in self.signed.items():
            self.signed[address] = replace(reader, paused_until=None)
            change = self._sign_up(self.signed[address])
            self.world.store.signups.change(change, self.world.clock())
        for address, own in self.taken.items():
            for taken in [one for one in own if one.kind is Away.PAUSE]:
                self.end(address, taken)

    # -- what a roster is to hold

    def roster(self, readers: list[Subscriber], mistakes: list[Mistake]) -> Roster:
        """The roster of the file's readers and mistakes, put together by the program; and noted for
        the oracle, by its own reading. Raises BrokenError where the two are not alike.
        """
        names = self._there()
        keywords = {k.query: k for r in readers for k in r.keywords}
        of_file = Roster(tuple(readers), tuple(keywords.values()), mistakes=tuple(mistakes))
        book = Book(_checked(f"keywords: {json.dumps(names)}"), of_file, str)
        store = self.world.store
        got = with_wishes(book.with_sign_ups(store.signups.all()), store.wishes.all())
        self.expected = self._expected(readers, mistakes)
        want = {r.email: replace(r, wishes=()) for r in self.expected.subscribers}
        if {r.email: replace(r, wishes=()) for r in got.subscribers} != want:
            raise self.world.broken(f"the roster is {got.subscribers}, and was to be {want}")
        return got

    def _expected(self, readers: list[Subscriber], mistakes: list[Mistake]) -> Roster:
        served = [self.less_taken(reader) for reader in readers]
        named = {r.email for r in readers} | {a for m in mistakes for a in m.holds_back}
        mistakes = [*mistakes]
        for address, reader in self.signed.items():
            if address in named:
                continue
            if any(keyword.name in self.missing for keyword in reader.keywords):
                mistakes.append(Mistake(f"sign-up of {address}", (address,)))
            else:
                served.append(replace(reader, origin=Origin.WEB))
        return Roster(tuple(served), (), mistakes=tuple(mistakes))

    def followed(self) -> Roster:
        """What the store is to have followed by now: who left since the roster was read is gone,
        and whom the file names is the file's.
        """
        served = [
            reader
            for reader in self.expected.subscribers
            if reader.origin is Origin.FILE or reader.email in self.signed
        ]
        for reader in served:
            if reader.origin is Origin.FILE:
                had = self.signed.pop(reader.email, None)
                self.world.stats["handed over"] += had is not None
        return replace(self.expected, subscribers=tuple(served))

    def end_taken(self, held_back: set[str]) -> None:
        """End what the file has overruled, once it was followed."""
        of_file = self.world.roster
        for address, own in list(self.taken.items()):
            if address in held_back:
                continue
            if address in of_file and address not in self.world.mistaken:
                kept = {taken for taken in own if taken.holds(of_file[address])}
                self.world.stats["wishes ended"] += len(own - kept)
                self.taken[address] = kept
            else:
                del self.taken[address]

    def less_taken(self, reader: Subscriber) -> Subscriber:
        """A reader of the file less what they took away."""
        own = [taken for taken in self.taken.get(reader.email, ()) if taken.holds(reader)]
        left = [taken for taken in own if taken.kind is Away.KEYWORD]
        days = [date.fromisoformat(taken.value) for taken in own if taken.kind is Away.PAUSE]
        days += [reader.paused_until] if reader.paused_until else []
        kept = tuple(k for k in reader.keywords if not any(one.is_about(k) for one in left))
        return replace(
            reader, keywords=kept, paused_until=max(days, default=None) if kept else date.max
        )

    def readers(self) -> dict[str, Subscriber]:
        """Everybody who is to be mailed, by address, as they want it."""
        of_file = {address: self.less_taken(r) for address, r in self.world.roster.items()}
        everybody = self.signed | of_file
        return {a: r for a, r in everybody.items() if a not in self.world.forgotten}

    def let_go_by_name(self) -> None:
        """Where the file names nobody any more: no run lets all go for that, and the operator says
        it by name.
        """
        store = self.world.store
        if not store.subscribers.known():
            return
        try:
            store.subscribers.sync(Roster((), ()), self.world.clock())
        except ConfigError:
            rows = "SELECT address FROM subscriber WHERE gone = 0 AND origin = 'file'"
            for address in self.world.database.column(rows):
                store.subscribers.remove(address, self.world.clock())
                self.taken.pop(address, None)
        else:
            raise self.world.broken("an empty file let everybody go")

    # -- entries

    def _reader(self, address: str) -> Subscriber:
        r = self.random
        there = sorted(self.names.keys() - self.missing) or sorted(self.names)
        names = r.sample(there, r.randint(1, min(3, len(there))))
        return Subscriber(
            address,
            tuple(Keyword(name, self.names[name], Rule.QUERY) for name in names),
            revisions=WISHES.get(address[:2], Revisions.NONE),
            max_papers=r.choice([3, 50]),
            days=r.choice([tuple(Weekly), tuple(Weekly), (Weekly.MON,)]),
            at=r.choice([None, time(7), time(20)]),
            within=r.choice([(), (), ("cs.*", "stat.*")]),
            feedback=self.world.likes.asks(address),
        )

    def _sign_up(self, reader: Subscriber) -> SignUp:
        """A reader's entry as the file would write it."""
        names = [keyword.name for keyword in reader.keywords]
        entry = {
            "keywords": names,
            "revisions": {"true": True, "false": False}.get(reader.revisions, "published"),
            "max_papers": reader.max_papers,
            "schedule": [str(day) for day in reader.days],
            "within": list(reader.within),
            "feedback": reader.feedback,
        }
        if reader.at:
            entry["at"] = f"{reader.at:%H:%M}"
        if reader.paused_until:
            entry["paused_until"] = reader.paused_until.isoformat()
        return SignUp(reader.email, json.dumps(entry), tuple(names))
