"""Tests of declarations and reports."""
