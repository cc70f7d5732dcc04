"""Commands for the beginning: demo, init, doctor.

Uses: all rooms below.
"""
