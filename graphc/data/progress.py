"""A progress bar, by tqdm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import GraphcError


def progress(items: Iterable[Any], **options: Any) -> Any:
    """The items, with a bar of how many are done; `set_postfix(loss=...)` shows numbers beside it.

    The options are tqdm's.

    Raises:
        GraphcError: when tqdm is not installed.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        raise GraphcError("progress needs tqdm: pip install graphc[progress]") from None
    return tqdm(items, **options)
