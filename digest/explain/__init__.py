"""Answers: why a paper came, how a day went.

Uses: run, store, rules and below.
"""
