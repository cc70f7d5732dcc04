"""The words of the domain as plain values: paper, keyword, subscriber, window, digest, delivery.

Uses: nothing.
"""

from digest.model.deliveries import NOT_CARRIED, OPEN, WAITING, Outcome, Outgoing, Receipt, State
from digest.model.digests import Digest, Item, LocalDate, Rendered, Rhythm, Section, Silence
from digest.model.papers import Change, Kind, Paper, Query, Window
from digest.model.readers import (
    Abstracts,
    Away,
    Channel,
    Format,
    Keyword,
    Layout,
    Mistake,
    Order,
    Origin,
    Revisions,
    Roster,
    Rule,
    SignUp,
    Standing,
    Subscriber,
    Weekly,
    Wish,
)

__all__ = [
    "NOT_CARRIED",
    "OPEN",
    "WAITING",
    "Abstracts",
    "Away",
    "Change",
    "Channel",
    "Digest",
    "Format",
    "Item",
    "Keyword",
    "Kind",
    "Layout",
    "LocalDate",
    "Mistake",
    "Order",
    "Origin",
    "Outcome",
    "Outgoing",
    "Paper",
    "Query",
    "Receipt",
    "Rendered",
    "Revisions",
    "Rhythm",
    "Roster",
    "Rule",
    "Section",
    "SignUp",
    "Silence",
    "Standing",
    "State",
    "Subscriber",
    "Weekly",
    "Window",
    "Wish",
]
