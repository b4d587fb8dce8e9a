"""Derivatives of graphs: forward mode (forward.py), reverse mode (reverse.py), and the division of
a graph into what is known before and what is known after (split.py).

Each takes a function as parameters and results of the graph, replaces the parameters by values, and
answers values of the same graph; whatever does not depend on the parameters is a constant. So a
derivative is made of ordinary ops, and can be differentiated again. The rules stand on the cards
(graphc/opdef.py). Called by graphc/transforms.py; never looks at the names of ops.
"""
