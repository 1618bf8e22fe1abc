"""What can go wrong in pricing: one class per failure, with fields, and a message rendered from them.

Arrays never raise for a bad element: it becomes NaN. Scalars raise.
"""

from __future__ import annotations


class OptionsError(Exception):
    """Base of every error this package raises."""


class InvalidInputError(OptionsError, ValueError):
    """A scalar argument lies outside the model: not finite, or negative where that means nothing."""

    def __init__(self, argument: str, value: object, rule: str) -> None:
        self.argument = argument
        self.value = value
        self.rule = rule
        super().__init__(f"{argument} is {value!r}: it must be {rule}")


class InputTypeError(OptionsError, TypeError):
    """An argument is no number and no array of real numbers."""

    def __init__(self, argument: str, got: str) -> None:
        self.argument = argument
        self.got = got
        super().__init__(f"{argument} must be a real number or an array of real numbers, not {got}")


class KindError(OptionsError, ValueError):
    """The kind names no option."""

    def __init__(self, kind: object, allowed: str = '"call" or "put", or an array of +1 and -1') -> None:
        self.kind = kind
        self.allowed = allowed
        super().__init__(f"kind is {kind!r}: it must be {allowed}")


class ShapeError(OptionsError, ValueError):
    """Arguments do not broadcast against one another, or an output array does not fit."""

    def __init__(self, reason: str, shapes: tuple[tuple[int, ...], ...]) -> None:
        self.reason = reason
        self.shapes = shapes
        super().__init__(f"{reason}: shapes {', '.join(map(str, shapes))}")


class NoLimitError(OptionsError, ArithmeticError):
    """The quantity has no finite value here, such as gamma on the strike at expiry, or it overflows a double."""

    def __init__(self, quantity: str) -> None:
        self.quantity = quantity
        super().__init__(f"{quantity} has no finite value for these arguments")


class PriceOutsideBoundsError(OptionsError, ValueError):
    """No volatility gives this price: it is below the intrinsic value, or not below the most the option can be."""

    def __init__(self, price: float, lower: float, upper: float) -> None:
        self.price = price
        self.lower = lower
        self.upper = upper
        super().__init__(f"no volatility gives the price {price!r}: it must lie within [{lower!r}, {upper!r})")


class KernelUnavailableError(OptionsError, RuntimeError):
    """STRIKELOCK_OPTIONS asks for a kernel that this processor, or this installation, does not have."""

    def __init__(self, requested: str, available: tuple[str, ...]) -> None:
        self.requested = requested
        self.available = available
        super().__init__(
            f"STRIKELOCK_OPTIONS={requested}: no such kernel here; choose one of auto, {', '.join(available)}"
        )
