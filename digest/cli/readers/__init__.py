"""Commands about who gets what: subscribe, unsubscribe, subscribers, keywords.

Uses: all rooms below.
"""
