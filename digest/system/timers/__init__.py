"""What calls `digest run` by itself: systemd, launchd or cron, set up and taken away again."""
