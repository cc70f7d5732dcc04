"""Tests of digest/subscribers."""
