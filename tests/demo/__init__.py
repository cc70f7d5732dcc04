"""Tests of digest/demo."""
