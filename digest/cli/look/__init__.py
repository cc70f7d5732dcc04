"""Commands to look and to mend: preview, status, why, history, outbox, resend.

Uses: all rooms below.
"""
