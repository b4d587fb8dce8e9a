"""Loops and choices of the graph."""
