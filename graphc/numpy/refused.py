"""NumPy's public names that have no meaning in a graph, each with what to do instead."""

from __future__ import annotations

_FILE = "reading and writing files is no part of a graph: do it outside and pass the array in"
_TEXT = "text is made from values, which are not known while tracing: print the result outside"
_OBJECT = (
    "strings, dates, records and objects have no place in a graph: convert them to numbers first"
)
_PYTHON = "it calls Python for every element: write the function over whole arrays"
_LAYOUT = "a graph's arrays have no strides and no buffer: index, reshape or slide a window instead"
_MATRIX = "matrices are arrays of two axes here: use array and @"
_LENGTH = "the length of the result depends on data"

REFUSED: dict[str, str] = {
    **dict.fromkeys(
        (
            "fromfile",
            "fromregex",
            "genfromtxt",
            "load",
            "loadtxt",
            "save",
            "savetxt",
            "savez",
            "savez_compressed",
            "memmap",
        ),
        _FILE,
    ),
    **dict.fromkeys(
        (
            "array2string",
            "array_repr",
            "array_str",
            "format_float_positional",
            "format_float_scientific",
            "datetime_as_string",
        ),
        _TEXT,
    ),
    **dict.fromkeys(
        (
            "busday_count",
            "busday_offset",
            "busdaycalendar",
            "datetime64",
            "datetime_data",
            "is_busday",
            "isnat",
            "timedelta64",
            "bytes_",
            "str_",
            "character",
            "flexible",
            "object_",
            "rec",
            "recarray",
            "record",
            "void",
            "char",
            "chararray",
            "strings",
            "longdouble",
            "clongdouble",
            "float128",
            "complex256",
            "float96",
            "complex192",
        ),
        _OBJECT,
    ),
    **dict.fromkeys(
        ("vectorize", "fromiter", "nditer", "nested_iters", "flatiter", "broadcast"), _PYTHON
    ),
    **dict.fromkeys(
        (
            "frombuffer",
            "fromstring",
            "from_dlpack",
            "packbits",
            "unpackbits",
            "lib.stride_tricks.as_strided",
        ),
        _LAYOUT,
    ),
    **dict.fromkeys(("matrix", "asmatrix", "bmat", "poly1d", "polynomial"), _MATRIX),
    "roots": (
        "how many there are depends on data: use linalg.eigvals of the companion matrix, or "
        "compute them with NumPy outside and pass them in"
    ),
    "trim_zeros": f"{_LENGTH}: slice with stated bounds",
    "polydiv": f"{_LENGTH}: divide with stated degrees, term by term",
    "mgrid": "use meshgrid or indices",
    "ogrid": "use meshgrid(..., sparse=True) or indices(..., sparse=True)",
    "r_": "use concatenate",
    "c_": "use column_stack",
    "random": "use graphc.random, whose functions take a key: graphc.random.normal(key, shape)",
    "ma": "masked arrays are not there: use where=, or carry the mask as an array of its own",
    "ctypeslib": "call C outside of the traced function",
    "emath": "choose the complex dtype first: sqrt(x.astype(complex))",
    "core": "NumPy's inside",
    "f2py": "call Fortran outside of the traced function",
    "testing": "test outside of the traced function: use numpy.testing",
    "typing": "annotations: use numpy.typing",
    "dtypes": "use the dtypes themselves, such as float32",
    "test": "NumPy's own tests",
    "info": "documentation of NumPy: use numpy.info",
    "get_include": "headers of NumPy: use numpy.get_include",
    "show_config": "NumPy's build: use numpy.show_config",
    "show_runtime": "NumPy's build: use numpy.show_runtime",
    "getbufsize": "ufunc buffers do not exist in compiled code",
    "setbufsize": "ufunc buffers do not exist in compiled code",
    "LinAlgError": "an exception: use numpy.linalg.LinAlgError",
}
"""Name to remedy. A submodule's function is named with it: "linalg.svd"."""


def remedy(module: str, name: str) -> AttributeError:
    """The error for a name that is not there; it says what to do where NumPy has the name."""
    full = f"{module}.{name}" if module else name
    if full in REFUSED:
        return AttributeError(f"graphc.numpy has no {full}: {REFUSED[full]}")
    return AttributeError(f"module 'graphc.numpy' has no attribute {full!r}")
