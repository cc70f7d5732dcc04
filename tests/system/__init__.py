"""Tests of digest/system."""
