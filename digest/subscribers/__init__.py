"""The subscribers file: read, checked as a whole, and edited in place.

Uses: keywords, system and the ground.
"""

from digest.subscribers.load import load_roster
from digest.subscribers.problems import Problem, RosterError

__all__ = ["Problem", "RosterError", "load_roster"]
