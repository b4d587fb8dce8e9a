"""The price of European call options and what it depends on, for a program in Rust."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erf


def price(spot: Any, strike: Any, years: Any, rate: float, volatility: float) -> Any:
    """Black and Scholes' prices of calls."""
    spread = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
    normal = [0.5 * (1 + erf(d / np.sqrt(2))) for d in (d1, d1 - spread)]
    return spot * normal[0] - strike * np.exp(-rate * years) * normal[1]


def total(spot: Any, strike: Any, years: Any, rate: float, volatility: float) -> Any:
    """The sum of the prices: its gradient by `spot` is each option's delta."""
    return price(spot, strike, years, rate, volatility).sum()
