"""Tests of digest/explain."""
