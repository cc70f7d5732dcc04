"""Commands besides: db, config, publish, import, export, completion, manual.

Uses: all rooms below.
"""
