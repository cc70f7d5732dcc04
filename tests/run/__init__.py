"""Tests of digest/run."""
