"""Where SQLite differs from the SQL of the store's statements, which PostgreSQL reads as well.

The store's modules write one SQL. What the databases have no common words for is written as below,
and is put into SQLite's own here, and nowhere else:

- `many(:ids)` or `many(?)`: the values of a list that is a parameter, be it empty or 100,000 long,
  as a table with the one column `value`: `WHERE id IN many(:ids)`, `id NOT IN many(?)`,
  `FROM many(?) named`. The parameter is the Python list itself, of texts or of numbers. NULL is no
  list, and has no values. (In PostgreSQL: `(SELECT unnest(:ids) AS value)`.)
- `days_before(moment, 7)`: the moment so many days earlier, which is a text as all moments are.
  (In PostgreSQL: a function of the schema.)
- `LEAST(a, b)` and `GREATEST(a, b)`: no argument may be NULL, of which the databases think
  differently. (In SQLite: MIN and MAX, which are for rows everywhere else.)
"""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import date, datetime
from functools import lru_cache

from digest.times import to_text

# Moments are parameters as they are. The texts sort in the order of time, so SQL may compare them.
sqlite3.register_adapter(datetime, to_text)
sqlite3.register_adapter(date, date.isoformat)
sqlite3.register_adapter(list, json.dumps)

_MANY = re.compile(r"\bmany\((\?|:\w+)\)")
_DAYS_BEFORE = re.compile(r"\bdays_before\(([\w.:?]+), (\d+)\)")
_PICKED = re.compile(r"\b(LEAST|GREATEST)\(")
_PICK = {"LEAST": "MIN(", "GREATEST": "MAX("}


@lru_cache(maxsize=1024)
def for_sqlite(sql: str) -> str:
    """A statement of the store in SQLite's words."""
    sql = _MANY.sub(r"(SELECT value FROM json_each(\1))", sql)
    sql = _DAYS_BEFORE.sub(r"strftime('%Y-%m-%dT%H:%M:%SZ', \1, '-\2 days')", sql)
    return _PICKED.sub(lambda name: _PICK[name[1]], sql)
