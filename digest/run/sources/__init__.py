"""The ways to learn what arXiv has announced: its query API, its announcement feeds, its OAI
service.

Each takes queries that are due and gives a window or an error for each. What becomes of them is not
its business.
"""
