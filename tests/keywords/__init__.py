"""Tests of digest/keywords."""
