"""Ahead of time: libraries, artifacts, and the programs that use them."""
