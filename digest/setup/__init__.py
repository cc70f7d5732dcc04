"""Settings, the working parts that are made of them, and the checks of both.

Uses: demo, run and below.
"""
