"""The steps of the schema that came first; see schema.py, whose rules hold here."""

from __future__ import annotations

FIRST_STEPS: tuple[str, ...] = (
    # `window`: refused and doubtful answers, kept for inspection (store/held.py).
    """
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE query(
        id INTEGER PRIMARY KEY,
        text TEXT NOT NULL UNIQUE,
        last_good_at TEXT,
        next_fetch_at TEXT,
        failures INTEGER NOT NULL DEFAULT 0,
        trouble TEXT NOT NULL DEFAULT '',
        rows_per_day REAL
    );

    CREATE TABLE paper(
        id TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        title TEXT NOT NULL,
        abstract TEXT NOT NULL,
        authors TEXT NOT NULL,
        categories TEXT NOT NULL,
        published TEXT NOT NULL,
        updated TEXT NOT NULL,
        comment TEXT NOT NULL,
        journal_ref TEXT NOT NULL,
        doi TEXT NOT NULL
    );

    CREATE TABLE revision(
        paper TEXT NOT NULL REFERENCES paper(id),
        version INTEGER NOT NULL,
        changed TEXT NOT NULL,
        PRIMARY KEY(paper, version)
    ) WITHOUT ROWID;

    CREATE TABLE run(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        trouble TEXT NOT NULL DEFAULT '',
        composed INTEGER NOT NULL DEFAULT 0,
        sent INTEGER NOT NULL DEFAULT 0,
        deferred INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0,
        unknown INTEGER NOT NULL DEFAULT 0
    );

    CREATE TABLE run_keyword(
        run INTEGER NOT NULL REFERENCES run(id),
        query INTEGER NOT NULL REFERENCES query(id),
        keyword TEXT NOT NULL,
        status TEXT NOT NULL CHECK(status IN ('ok', 'failed', 'quarantined', 'skipped')),
        fetched INTEGER NOT NULL,
        new INTEGER NOT NULL,
        revised INTEGER NOT NULL,
        late INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        why TEXT NOT NULL,
        PRIMARY KEY(run, query)
    ) WITHOUT ROWID;
    CREATE INDEX run_keyword_query ON run_keyword(query, run);

    CREATE TABLE seen(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        query INTEGER NOT NULL REFERENCES query(id),
        paper TEXT NOT NULL REFERENCES paper(id),
        version INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK(kind IN ('new', 'late', 'revised', 'old')),
        run INTEGER REFERENCES run(id),
        UNIQUE(query, paper, version)
    );
    CREATE INDEX seen_log ON seen(query, seq);
    CREATE INDEX seen_paper ON seen(paper, seq);
    CREATE INDEX seen_run ON seen(run);

    CREATE TABLE window(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        query INTEGER NOT NULL REFERENCES query(id),
        at TEXT NOT NULL,
        verdict TEXT NOT NULL,
        raw BLOB NOT NULL
    );
    CREATE INDEX window_query ON window(query, id);

    CREATE TABLE subscriber(
        id INTEGER PRIMARY KEY,
        address TEXT NOT NULL UNIQUE COLLATE NOCASE,
        name TEXT NOT NULL DEFAULT '',
        since TEXT NOT NULL,
        due_at TEXT NOT NULL,
        slot TEXT,
        opened_at TEXT,
        away INTEGER NOT NULL DEFAULT 0,
        gone INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX subscriber_due ON subscriber(due_at) WHERE gone = 0;

    CREATE TABLE subscription(
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        query INTEGER NOT NULL REFERENCES query(id),
        label TEXT NOT NULL,
        start INTEGER,
        position INTEGER,
        until INTEGER,
        ended_at TEXT,
        PRIMARY KEY(subscriber, query)
    ) WITHOUT ROWID;
    CREATE INDEX subscription_unplaced ON subscription(query) WHERE start IS NULL;

    CREATE TABLE content(
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        subject TEXT NOT NULL,
        pieces BLOB NOT NULL
    );

    CREATE TABLE content_paper(
        content INTEGER NOT NULL REFERENCES content(id),
        paper TEXT NOT NULL REFERENCES paper(id),
        version INTEGER NOT NULL,
        revised INTEGER NOT NULL,
        PRIMARY KEY(content, paper)
    ) WITHOUT ROWID;

    CREATE TABLE delivery(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        slot TEXT NOT NULL,
        content INTEGER NOT NULL REFERENCES content(id),
        message_id TEXT NOT NULL UNIQUE,
        queued_at TEXT NOT NULL,
        from_seq INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued' CHECK(state IN ('queued', 'leased', 'in_data', 'sent',
            'deferred', 'failed', 'unknown', 'expired', 'suppressed', 'dropped')),
        attempt INTEGER NOT NULL DEFAULT 0,
        next_at TEXT NOT NULL,
        owner TEXT,
        maybe_accepted INTEGER NOT NULL DEFAULT 0,
        ended_at TEXT,
        reply TEXT NOT NULL DEFAULT '',
        UNIQUE(subscriber, slot)
    );
    CREATE INDEX delivery_subscriber ON delivery(subscriber, queued_at);
    CREATE INDEX delivery_open ON delivery(next_at)
        WHERE state IN ('queued', 'leased', 'in_data', 'deferred', 'unknown');

    CREATE TABLE suppression(
        address TEXT PRIMARY KEY COLLATE NOCASE,
        reason TEXT NOT NULL,
        since TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE query ADD COLUMN quarantined_since TEXT;
    ALTER TABLE query ADD COLUMN judged_since TEXT;
    ALTER TABLE query ADD COLUMN covered_since TEXT;
    ALTER TABLE query ADD COLUMN total INTEGER;

    ALTER TABLE window ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE window ADD COLUMN fetched INTEGER;
    ALTER TABLE window ADD COLUMN ids TEXT NOT NULL DEFAULT '[]';

    CREATE TABLE held(
        query INTEGER NOT NULL REFERENCES query(id),
        paper TEXT NOT NULL,
        window INTEGER NOT NULL,
        data TEXT NOT NULL,
        PRIMARY KEY(query, paper)
    ) WITHOUT ROWID;
    """,
    # `withdrawn`: the version with which the paper was taken back, 0 while it stands.
    # `corrections`: the reader was sent a paper that was withdrawn since, and the ledger is to be
    # asked whether that was reported.
    """
    ALTER TABLE paper ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE revision ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE revision ADD COLUMN old_title TEXT NOT NULL DEFAULT '';
    ALTER TABLE subscriber ADD COLUMN corrections INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX content_paper_paper ON content_paper(paper);
    CREATE INDEX delivery_content ON delivery(content);
    """,
    # Seconds that good windows covered: of a query in all and at its last match; of a subscription,
    # when it was placed.
    """
    ALTER TABLE query ADD COLUMN watched INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE query ADD COLUMN matched INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE subscription ADD COLUMN watched INTEGER NOT NULL DEFAULT 0;

    ALTER TABLE delivery ADD COLUMN folder INTEGER NOT NULL DEFAULT 0;
    UPDATE delivery SET folder = 1 WHERE state = 'sent'
        AND (reply LIKE 'written to %' OR reply = 'it was in the folder already');
    CREATE INDEX delivery_folder ON delivery(ended_at) WHERE folder;

    CREATE TABLE silence(
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        query INTEGER NOT NULL REFERENCES query(id),
        delivery INTEGER NOT NULL,
        PRIMARY KEY(subscriber, query)
    ) WITHOUT ROWID;
    """,
    # The backslash: SQLite keeps a table's text as it was written, and this one on a single line.
    """
    CREATE TABLE bounce(
        delivery INTEGER PRIMARY KEY REFERENCES delivery(id),
        subscriber INTEGER NOT NULL REFERENCES subscriber(id),
        at TEXT NOT NULL,
        blame TEXT NOT NULL CHECK(blame IN ('hard', 'soft', 'policy')),
        words TEXT NOT NULL,
        excused INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX bounce_at ON bounce(at);
    CREATE INDEX bounce_subscriber ON bounce(subscriber, at);

    CREATE TABLE inbox_message(key TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE inbox_place(mailbox TEXT PRIMARY KEY, validity INTEGER NOT NULL, \
uid INTEGER NOT NULL) WITHOUT ROWID;
    """,
    """
    ALTER TABLE query ADD COLUMN imported_until TEXT;
    """,
    """
    CREATE TABLE relay(
        name TEXT PRIMARY KEY,
        place TEXT NOT NULL,
        failures INTEGER NOT NULL,
        streak INTEGER NOT NULL,
        tripped_since TEXT,
        paused_until TEXT,
        reason TEXT NOT NULL,
        permanent INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE handover(
        at TEXT NOT NULL,
        number INTEGER NOT NULL
    );
    CREATE INDEX handover_at ON handover(at);

    ALTER TABLE delivery ADD COLUMN again INTEGER REFERENCES delivery(id);
    """,
    """
    ALTER TABLE query ADD COLUMN source TEXT NOT NULL DEFAULT '';
    ALTER TABLE query ADD COLUMN deep_at TEXT;
    ALTER TABLE paper ADD COLUMN approximate INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE feed(
        name TEXT PRIMARY KEY,
        day TEXT,
        etag TEXT NOT NULL DEFAULT '',
        keys TEXT NOT NULL DEFAULT '[]',
        proven INTEGER NOT NULL DEFAULT 0,
        trouble TEXT NOT NULL DEFAULT '',
        at TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE lack(
        source TEXT NOT NULL CHECK(source IN ('api', 'feeds', 'oai')),
        paper TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY(source, paper)
    ) WITHOUT ROWID;
    """,
    """
    CREATE INDEX paper_updated ON paper(updated);
    """,
)
