"""Tests of digest/setup."""
