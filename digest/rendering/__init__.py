"""Papers to texts: digests, issues, the Daily Papers page, exports. Pure.

Uses: keywords, rules and the ground.
"""
