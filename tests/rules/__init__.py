"""Tests of digest/rules."""
