"""Loops and choices in the graph: scan, while_loop, fori_loop, map, cond, switch, associative_scan.

The rooms: bodies.py (a Python function as the sub-graph of a node), loops.py, branches.py,
associative.py. Inside a trace they make nodes of `graphc.ops.control`; outside, where arrays have
elements, they are plain Python: the same functions can be run and debugged step by step.
"""
