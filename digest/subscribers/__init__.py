"""The subscribers file: read, checked as a whole, and edited in place.

Uses: keywords, system and the ground.
"""

from digest.subscribers.load import load_roster
from digest.subscribers.problems import Problem, SubscribersFileError

__all__ = ["Problem", "SubscribersFileError", "load_roster"]
