"""Python's own control flow over traced values: `graphc.jit(f, control_flow="python")`.

A function's source is rewritten once (source.py, scopes.py, jumps.py, liveness.py, rewrite.py,
convert.py): every `if`, loop, `and`, call... becomes a call of operators.py. Those look at the
condition while the function is traced. Where it is known, Python's statement runs as it would
(logic.py, branches.py, loops.py, iterables.py, builtins.py). Where it is traced, the body is run
on parameters to see what it computes (region.py, reach.py, held.py, undefined.py), what a loop
carries is found (carries.py), and a node of `graphc.control` is made (emission.py).
"""
