"""The keyword language: how a keyword is read, told in words, matched and marked. Pure but for FTS5
in memory.

Uses: the ground.
"""
