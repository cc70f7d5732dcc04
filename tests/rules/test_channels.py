"""The channels: each has its rules, and terms that follow from them."""

from __future__ import annotations

from datetime import timedelta

from digest.model import Channel
from digest.rules.channels import RULES, RateLimit, Terms, make_terms


def test_every_channel_has_its_rules() -> None:
    assert set(RULES) == set(make_terms()) == set(Channel)


def test_limits_are_mails_and_nothing_is_held_that_can_be_looked_for() -> None:
    limits = (RateLimit(20, timedelta(minutes=1)),)
    assert make_terms(limits, hold_unknown=True) == {
        Channel.MAIL: Terms(limits, hold_unknown=True),
        Channel.GITHUB: Terms(),
        Channel.WEBHOOK: Terms(hold_unknown=True),
        Channel.APPRISE: Terms(hold_unknown=True),
    }
