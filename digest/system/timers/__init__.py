"""Timers that call `digest run`: systemd, launchd or cron, set up and taken away again."""
