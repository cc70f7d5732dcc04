"""Tests of digest/rendering."""
