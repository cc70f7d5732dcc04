"""The machine: locks, files that are replaced whole, signals, systemd, timers.

Uses: the ground.
"""
