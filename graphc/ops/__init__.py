"""The op cards. Importing this package registers every one of them.

A card stands in the module of its kind, under its name in upper case: `from graphc.ops.elementwise
import ADD`. Nodes with NumPy's broadcasting and promotion are made by `graphc.ops.build`.
"""

from . import complexes as complexes
from . import contraction as contraction
from . import convolution as convolution
from . import creation as creation
from . import elementwise as elementwise
from . import fusion as fusion
from . import indexing as indexing
from . import movement as movement
from . import ordering as ordering
from . import reduction as reduction
from . import window as window
