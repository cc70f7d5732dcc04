"""Tests of digest/arxiv."""
