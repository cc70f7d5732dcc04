"""Commands of every day: run, daemon, send, serve, inbox, timer.

Uses: all rooms below.
"""
