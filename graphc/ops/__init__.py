"""The op cards. Importing this package registers them; those over windows when they are asked for.

A card stands in the module of its kind, under its name in upper case: `from graphc.ops.elementwise
import ADD`. Nodes with NumPy's broadcasting and promotion are made by `graphc.ops.build`.
"""

from importlib import import_module

from ..opdef import later
from . import complexes as complexes
from . import contraction as contraction
from . import creation as creation
from . import elementwise as elementwise
from . import fusion as fusion
from . import indexing as indexing
from . import marks as marks
from . import movement as movement
from . import ordering as ordering
from . import reduction as reduction

# few programs need these, and every process would pay for their import
later("conv", "contraction", lambda: import_module(".convolution", __name__))
later("reduce_window", "reduction", lambda: import_module(".window", __name__))
later("tiles", "movement", lambda: import_module(".tiles", __name__))
later("mix", "reduction", lambda: import_module(".tiles", __name__))
for _name in ("custom_jvp", "custom_vjp", "checkpoint"):
    later(_name, "call", lambda: import_module(".calls", __name__))
for _name in ("threefry_first", "threefry_second"):
    later(_name, "elementwise", lambda: import_module(".random", __name__))
later("barrier", "opaque", lambda: import_module(".calls", __name__))
for _name in ("scan", "while", "switch"):
    later(_name, "control", lambda: import_module(".control", __name__))
for _name in ("solve", "triangular_solve", "cholesky", "lu", "slogdet", "qr"):
    later(_name, "opaque", lambda: import_module(".linear_algebra", __name__))
later("require", "movement", lambda: import_module(".requirements", __name__))
for _name in ("eigh", "svd", "eig"):
    later(_name, "opaque", lambda: import_module(".spectral", __name__))
later("attention", "opaque", lambda: import_module(".attention", __name__))
later("attention_gradient", "opaque", lambda: import_module(".attention_gradient", __name__))
later("sparse_product", "opaque", lambda: import_module(".sparse_products", __name__))
