from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from digest.model import Order, Rule, Subscriber, Weekly
from digest.subscribers import SubscribersFileError
from digest.subscribers.authors import MAX_AUTHOR
from digest.subscribers.check import KEYWORD_FIELDS, MATCHES, SECTIONS, check_text
from digest.subscribers.fields import (
    ADDRESSES,
    FIELDS,
    MAX_NAME,
    MAX_PAPERS,
    MAX_PREFIX,
    QUIET_DAYS,
    SCHEDULES,
)

ROOT = Path(__file__).parent.parent.parent
SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "digest/subscribers/subscribers.schema.json").read_text()
)
READER = "subscribers:\n  - email: ada@example.org\n    keywords: [x]\n"
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def read(text: str) -> Any:
    """The file as an editor's YAML 1.2 reader hands it to the schema, dates as they are written."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _self, node: node.value)
    return yaml.load(text)


def in_loader(text: str) -> bool:
    try:
        check_text(text, "subscribers.yaml")
    except SubscribersFileError:
        return False
    return True


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_accepts_the_example() -> None:
    VALIDATOR.validate(read((ROOT / "subscribers.yaml").read_text()))


def test_schema_and_loader_know_the_same_names() -> None:
    properties = SCHEMA["properties"]
    assert set(properties) == set(SECTIONS)
    assert set(properties["subscribers"]["items"]["properties"]) == set(FIELDS)
    assert set(properties["defaults"]["properties"]) == set(FIELDS) - set(ADDRESSES)
    detailed = properties["keywords"]["oneOf"][0]["additionalProperties"]["oneOf"][1]["properties"]
    assert set(detailed) == set(KEYWORD_FIELDS)
    assert set(detailed["match"]["enum"]) == set(MATCHES) == set(Rule) - {Rule.QUERY}


def test_schema_and_loader_know_the_same_values() -> None:
    definitions = SCHEMA["$defs"]
    schedule = definitions["schedule"]["oneOf"]
    assert set(schedule[0]["enum"]) == set(SCHEDULES)
    assert set(schedule[1]["items"]["enum"]) == set(Weekly)
    assert set(definitions["order"]["enum"]) == set(Order)
    assert set(definitions["quiet_days"]["enum"]) == set(QUIET_DAYS)
    assert definitions["max_papers"]["maximum"] == definitions["top"]["maximum"] == MAX_PAPERS
    assert definitions["name"]["maxLength"] == MAX_NAME
    assert definitions["authors"]["items"]["maxLength"] == MAX_AUTHOR
    assert definitions["subject_prefix"]["maxLength"] == MAX_PREFIX


def written(value: object) -> str:
    """A value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_schema_describes_each_field_as_the_table_reads_it() -> None:
    definitions = SCHEMA["properties"]["subscribers"]["items"]["properties"] | SCHEMA["$defs"]
    lists = {"keywords": definitions["keyword_list"]}
    lists["library"] = definitions["library"]["oneOf"][1]
    for name, field in FIELDS.items():
        schema = lists.get(name) or definitions[name]
        assert (schema.get("type") == "array") is bool(field.one), name
        assert ("null" in schema.get("type", ())) is field.optional, name
        for word in schema.get("enum", ()):
            assert field.read(written(word)) is not None, (name, word)
        if "default" in schema:
            default = getattr(Subscriber("ada@example.org", ()), DEFAULTS.get(name, name))
            assert field.read(written(schema["default"])) == default, name


DEFAULTS = {"schedule": "days"}
"""The names that the model has for fields, where it has others."""


@pytest.mark.parametrize(
    "text",
    [
        READER,
        READER + "    at: null\n    paused_until: null\n    schedule: weekly\n",
        READER + "    at: '7:00'\n    paused_until: 2026-12-01\n    revisions: true\n",
        "keywords: [reasoning, reward model]\n",
        "keywords: {Reasoning: {match: title}, B: 'ti:x'}\n",
        "keywords:\nsubscribers:\n",
        "groups: {vision: [a, b]}\nsubscribers: []\n",
    ],
)
def test_what_the_loader_accepts_the_schema_accepts(text: str) -> None:
    assert in_loader(text)
    VALIDATOR.validate(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "subscribrs: []\n",
        "subscribers: {}\n",
        "subscribers: [ada@example.org]\n",
        "subscribers: [{keywords: [x]}]\n",
        "subscribers: [{email: 'ada at example.org', keywords: [x]}]\n",
        "keywords: reasoning\n",
        "keywords: [1e3]\n",
        "keywords: {A: }\n",
        "keywords: {+A: x}\n",
        "keywords: {A: {query: x, mach: title}}\n",
        "keywords: {A: {query: x, match: titel}}\n",
        "groups: {a: [+b]}\n",
        "groups: {a: b}\n",
        "defaults: {email: ada@example.org}\nkeywords: [x]\n",
        *(
            f"{READER}    {line}\n"
            for line in (
                "shedule: daily",
                "schedule: monthly",
                "schedule: []",
                "schedule: [monday]",
                "at: '25:00'",
                "at: 7",
                "revisions: 'yes'",
                "max_papers: -1",
                "max_papers: 0",
                "max_papers: many",
                "top: 0",
                "top: many",
                "quiet_days: true",
                "order: oldest",
                "paused_until: 1.12.2026",
                "name: [Ada]",
                "exclude: 'cat:cs.RO'",
                "exclude: [2024]",
            )
        ),
    ],
)
def test_a_mistake_that_a_schema_can_see_both_refuse(text: str) -> None:
    assert not in_loader(text)
    assert not VALIDATOR.is_valid(read(text))
