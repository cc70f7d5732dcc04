"""The database's schema as migrations: each step runs once, in order, in one transaction with its
record.

The meaning, in one breath: `seen` is an append-only log of what each query brought; a
`subscription` has a start and a position in it; `delivery` with `content_paper` is the ledger of
what was carried. A paper is due to a reader when it stands in the log of one of the reader's
queries beyond the subscription's start and no delivery carried it, except expired, failed or
suppressed ones.
"""

from __future__ import annotations

from digest.store.first_steps import FIRST_STEPS

APPLICATION_ID = 0x44494745
"""Marks a SQLite file as this program's (PRAGMA application_id)."""

# Append only: a database remembers how many of these steps it has taken. No ';' inside a statement
# or a comment, since database.py cuts each step there.
MIGRATIONS: tuple[str, ...] = (
    *FIRST_STEPS,
    # What the open world needs.
    # `refusal`: what the server said of the last message that it refused without a cause of its
    # reader's, without all that differs between messages; `refused`: that reader.
    # `farewell`: the last mail to who left by the page's button, NULL where none follows and
    # nothing can be undone; `was_away`: what their `away` was before. `mistake`: from when to when
    # a mistake in the subscribers file held back a reader.
    # `asked`: what the API was last asked for, where that is wider than the query; `asked_per_day`:
    # the rows of that. `listed`: arXiv's search lists a paper that does not match here.
    """
    ALTER TABLE relay ADD COLUMN refusal TEXT NOT NULL DEFAULT '';
    ALTER TABLE relay ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;

    ALTER TABLE suppression ADD COLUMN farewell TEXT CHECK(farewell IN ('wanted', 'handed over'));
    ALTER TABLE suppression ADD COLUMN was_away INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE mistake(
        id INTEGER PRIMARY KEY,
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        since TEXT NOT NULL,
        until TEXT,
        words TEXT NOT NULL
    );
    CREATE INDEX mistake_subscriber ON mistake(subscriber, until);

    ALTER TABLE query ADD COLUMN asked TEXT NOT NULL DEFAULT '';
    ALTER TABLE query ADD COLUMN asked_per_day REAL;
    ALTER TABLE seen ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
    """,
    # What sign-ups, channels, likes and years of mail need.
    # What only SQLite could read of the statements goes: `answer` was called by a word that
    # PostgreSQL reserves, `handover` had no number of its own, and the case of an address was none
    # of the statements' business, which now compare `lower(address)`. As tables are made anew for
    # that, foreign keys are looked at when the step is committed.
    # `origin`: who says what the reader wants, the subscribers file or the reader on the web, then
    # in `signup`, whose `entry` is JSON as the file would write it, and `names` the keywords in it
    # that the file defined then. `wish`: what a reader of the file took away by themselves: digests
    # until the day `value`, where `entry` is the day that the file had then, or the keyword with
    # the query `value`, where `entry` is its name.
    # `consent`: what the reader agreed to, in the words that were shown.
    # `forgotten`: a keyed hash of each address of which all else was erased.
    # `digest`: the digest's value as JSON, from which its body is rendered again. `body`: there
    # while a delivery of it is on its way, and `lasting` until it is pruned, where there is no
    # value.
    # The ledger of digests whose deliveries are gone (store/ledger.py has the form of its columns).
    # `carried`: what a reader was sent in a month, both in its `id`: `contents` are numbers of
    # `aged`, digests that several readers had, and `papers` what that reader alone had.
    # `correction`: the reader had the paper so long ago, before it was withdrawn.
    # `number`: the paper's in that ledger, NULL where it never came there. `aged`: a content's.
    # `digest_at`: when the last of a reader's digests was queued that went there.
    """
    ALTER TABLE "window" RENAME TO answer;
    DROP INDEX window_query;
    CREATE INDEX answer_query ON answer(query, id);
    ALTER TABLE held RENAME COLUMN "window" TO answer;

    DROP INDEX delivery_folder;
    CREATE INDEX delivery_folder ON delivery(ended_at) WHERE folder = 1;

    CREATE TEMP TABLE rebuilt AS SELECT at, number FROM handover ORDER BY rowid;
    DROP TABLE handover;
    CREATE TABLE handover(
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        at TEXT NOT NULL,
        number INTEGER NOT NULL
    );
    INSERT INTO handover(channel, at, number) SELECT 'mail', at, number FROM rebuilt ORDER BY rowid;
    DROP TABLE rebuilt;
    CREATE INDEX handover_at ON handover(channel, at);

    PRAGMA defer_foreign_keys = ON;
    CREATE TEMP TABLE rebuilt AS SELECT * FROM subscriber;
    DROP TABLE subscriber;
    CREATE TABLE subscriber(
        id INTEGER PRIMARY KEY,
        address TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        since TEXT NOT NULL,
        due_at TEXT NOT NULL,
        slot TEXT,
        opened_at TEXT,
        away INTEGER NOT NULL DEFAULT 0,
        gone INTEGER NOT NULL DEFAULT 0,
        corrections INTEGER NOT NULL DEFAULT 0
    );
    INSERT INTO subscriber(id, address, name, since, due_at, slot, opened_at, away, gone,
            corrections)
        SELECT id, address, name, since, due_at, slot, opened_at, away, gone, corrections
        FROM rebuilt ORDER BY id;
    DROP TABLE rebuilt;
    CREATE UNIQUE INDEX subscriber_address ON subscriber(lower(address));
    CREATE INDEX subscriber_due ON subscriber(due_at) WHERE gone = 0;

    CREATE TEMP TABLE rebuilt AS SELECT * FROM suppression;
    DROP TABLE suppression;
    CREATE TABLE suppression(
        address TEXT NOT NULL,
        reason TEXT NOT NULL,
        since TEXT NOT NULL,
        farewell TEXT CHECK(farewell IN ('wanted', 'handed over')),
        was_away INTEGER NOT NULL DEFAULT 0
    );
    INSERT INTO suppression(address, reason, since, farewell, was_away)
        SELECT address, reason, since, farewell, was_away FROM rebuilt;
    DROP TABLE rebuilt;
    CREATE UNIQUE INDEX suppression_address ON suppression(lower(address));

    ALTER TABLE subscriber ADD COLUMN origin TEXT NOT NULL DEFAULT 'file' \
CHECK(origin IN ('file', 'web'));
    ALTER TABLE subscriber ADD COLUMN channel TEXT NOT NULL DEFAULT 'mail';
    UPDATE subscriber SET channel = 'github' WHERE address LIKE 'github:%';

    CREATE TABLE signup(
        subscriber INTEGER PRIMARY KEY REFERENCES subscriber(id),
        entry TEXT NOT NULL,
        names TEXT NOT NULL,
        at TEXT NOT NULL
    );

    CREATE TABLE wish(
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        field TEXT NOT NULL CHECK(field IN ('paused_until', 'keyword')),
        value TEXT NOT NULL,
        entry TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY(subscriber, field, value)
    ) WITHOUT ROWID;

    CREATE TABLE consent(
        id INTEGER PRIMARY KEY,
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        words TEXT NOT NULL,
        at TEXT NOT NULL
    );
    CREATE INDEX consent_subscriber ON consent(subscriber);

    CREATE TABLE liked(
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        paper TEXT NOT NULL REFERENCES paper(id),
        at TEXT NOT NULL,
        PRIMARY KEY(subscriber, paper)
    ) WITHOUT ROWID;
    CREATE INDEX liked_paper ON liked(paper);

    CREATE TABLE library(
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        id TEXT NOT NULL,
        title TEXT NOT NULL,
        abstract TEXT NOT NULL,
        at TEXT NOT NULL,
        source TEXT NOT NULL DEFAULT '',
        mark TEXT NOT NULL DEFAULT '',
        asked INTEGER NOT NULL DEFAULT 0,
        arxiv INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY(subscriber, source, id)
    ) WITHOUT ROWID;
    CREATE INDEX library_paper ON library(id);
    CREATE INDEX library_sourced ON library(subscriber) WHERE source <> '';
    CREATE INDEX library_unasked ON library(id) \
WHERE asked = 0 AND abstract = '' AND arxiv = 1;

    CREATE TABLE forgotten(mark TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE body(
        content INTEGER PRIMARY KEY REFERENCES content(id),
        pieces BLOB NOT NULL,
        lasting INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX body_passing ON body(lasting, content);
    INSERT INTO body(content, pieces, lasting) \
SELECT id, pieces, 1 FROM content WHERE pieces <> x'';
    ALTER TABLE content DROP COLUMN pieces;
    ALTER TABLE content ADD COLUMN digest TEXT NOT NULL DEFAULT '';
    CREATE INDEX delivery_content_open ON delivery(content) \
WHERE state IN ('queued', 'leased', 'in_data', 'deferred', 'unknown');

    CREATE INDEX delivery_foldable ON delivery(subscriber) \
WHERE state IN ('queued', 'deferred') AND maybe_accepted = 0;
    CREATE INDEX subscription_query ON subscription(query);
    CREATE INDEX seen_listed ON seen(run) WHERE listed = 1;

    CREATE TABLE aged(
        id INTEGER PRIMARY KEY,
        month INTEGER NOT NULL,
        papers BLOB NOT NULL
    );
    CREATE INDEX aged_month ON aged(month);

    CREATE TABLE carried(
        id INTEGER PRIMARY KEY,
        contents BLOB NOT NULL,
        papers BLOB NOT NULL
    );

    CREATE TABLE correction(
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        paper TEXT NOT NULL REFERENCES paper(id),
        PRIMARY KEY(subscriber, paper)
    ) WITHOUT ROWID;

    ALTER TABLE paper ADD COLUMN number INTEGER;
    CREATE UNIQUE INDEX paper_number ON paper(number);
    CREATE INDEX paper_abstract ON paper(updated) WHERE abstract <> '';
    ALTER TABLE content ADD COLUMN aged INTEGER;
    ALTER TABLE subscriber ADD COLUMN digest_at TEXT;
    CREATE INDEX delivery_again ON delivery(again) WHERE again IS NOT NULL;
    """,
    # What readers do on the web, and like.
    # `farewell` 'none': no last mail follows, and leaving can be undone all the same.
    # `consent.place`: from which network. `links`: how often the reader made all older links
    # worthless, but those to leave and to read a digest. `choice`: a change that a reader made on
    # the web, in words, with what was before it, and the `delivery` that tells of it. `letter`: a
    # mail with a link that was asked for there, or (`forget`) that the next run is to erase the
    # reader.
    # `content_paper.number`: the paper's in its mail, by which a reader names it, 0 where it has
    # none.
    """
    CREATE TEMP TABLE rebuilt AS SELECT * FROM suppression;
    DROP TABLE suppression;
    CREATE TABLE suppression(
        address TEXT NOT NULL,
        reason TEXT NOT NULL,
        since TEXT NOT NULL,
        farewell TEXT CHECK(farewell IN ('none', 'wanted', 'handed over')),
        was_away INTEGER NOT NULL DEFAULT 0
    );
    INSERT INTO suppression(address, reason, since, farewell, was_away)
        SELECT address, reason, since, farewell, was_away FROM rebuilt;
    DROP TABLE rebuilt;
    CREATE UNIQUE INDEX suppression_address ON suppression(lower(address));

    ALTER TABLE consent ADD COLUMN place TEXT NOT NULL DEFAULT '';
    ALTER TABLE subscriber ADD COLUMN links INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE choice(
        id INTEGER PRIMARY KEY,
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        words TEXT NOT NULL,
        entry TEXT NOT NULL,
        names TEXT NOT NULL,
        at TEXT NOT NULL,
        delivery INTEGER
    );
    CREATE INDEX choice_subscriber ON choice(subscriber);

    CREATE TABLE letter(
        id INTEGER PRIMARY KEY,
        subscriber INTEGER REFERENCES subscriber(id),
        kind TEXT NOT NULL CHECK(kind IN ('sign up', 'key', 'move', 'forget')),
        address TEXT NOT NULL,
        entry TEXT NOT NULL,
        names TEXT NOT NULL,
        words TEXT NOT NULL,
        place TEXT NOT NULL,
        at TEXT NOT NULL,
        next_at TEXT NOT NULL,
        sent_at TEXT,
        state TEXT NOT NULL CHECK(state IN ('wanted', 'handed over', 'used', 'ended', \
'bounced'))
    );
    CREATE INDEX letter_subscriber ON letter(subscriber);
    CREATE INDEX letter_address ON letter(lower(address), at);
    CREATE INDEX letter_place ON letter(place, at);
    CREATE INDEX letter_at ON letter(at);
    CREATE INDEX letter_sent ON letter(sent_at);
    CREATE INDEX letter_wanted ON letter(next_at) WHERE state = 'wanted';

    ALTER TABLE content_paper ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    """,
    # What the archive's long logs and its search need.
    # `seen_shown`: the archive's rows of each log, to count and to skip.
    # `searched`: the logs whose papers are in the index of words, each up to the row `until`.
    # `findable`: the papers that are, each at the first of its rows in these logs. `was`: what was
    # written there of a paper that has changed since, as JSON.
    """
    CREATE INDEX seen_shown ON seen(query, seq) WHERE kind <> 'revised' AND listed = 0;

    CREATE TABLE searched(
        query INTEGER PRIMARY KEY REFERENCES query(id),
        until INTEGER NOT NULL
    );
    CREATE TABLE findable(
        seq INTEGER PRIMARY KEY,
        paper TEXT NOT NULL UNIQUE REFERENCES paper(id),
        was TEXT
    );
    CREATE INDEX findable_changed ON findable(seq) WHERE was IS NOT NULL;
    """,
    # What models say of papers.
    # `summary`: what a `model` said of a version of a paper, when it was told what is called
    # `prompt`, or `why` there is nothing; `attempts` count those that failed for the paper's sake.
    """
    CREATE TABLE summary(
        paper TEXT NOT NULL REFERENCES paper(id),
        version INTEGER NOT NULL,
        model TEXT NOT NULL,
        prompt TEXT NOT NULL,
        language TEXT NOT NULL,
        text TEXT NOT NULL DEFAULT '',
        why TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        at TEXT NOT NULL,
        PRIMARY KEY(paper, version, model, prompt, language)
    ) WITHOUT ROWID;
    CREATE INDEX summary_at ON summary(at);
    """,
    # What tells people what a keyword would have brought that is not theirs yet.
    # `announced`: what a feed announced as new on a day, New York's, as packed JSON.
    # `question`: what arXiv is asked, `next_at` at the earliest, and how many `papers` it had, with
    # the `titles` of the newest, or that it `failed`.
    """
    CREATE TABLE announced(
        day TEXT NOT NULL,
        feed TEXT NOT NULL,
        papers BLOB NOT NULL,
        PRIMARY KEY(day, feed)
    );
    CREATE TABLE question(
        query TEXT PRIMARY KEY,
        at TEXT NOT NULL,
        next_at TEXT NOT NULL,
        answered_at TEXT,
        failed INTEGER NOT NULL DEFAULT 0,
        papers INTEGER NOT NULL DEFAULT 0,
        titles TEXT NOT NULL DEFAULT '[]'
    );
    """,
)
