"""A condition on the settings of a run, or of a point of a sweep, in a small language of its own.

Dotted settings, numbers, quoted text, `true`, `false`, `null`; `+ - * / // %`; comparisons; `and`, `or`, `not`,
parentheses. Nothing else is evaluated: no calls, no indexing, no attributes of values.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vjepa_pipe.config.errors import ConfigError, did_you_mean

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


class Where:
    """A condition, parsed once and asked of every run.

    Args:
        text: The expression.
        called: What messages call it.

    Raises:
        ConfigError: If it is no expression of this language.

    Attributes:
        names: The settings that it names.
    """

    def __init__(self, text: str, called: str = "sweep.where") -> None:
        self._text, self._called = text, called
        self.names: set[str] = set()
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConfigError([f"{called} is not an expression: {error} (got {text!r})"]) from error
        self._check(self._tree)

    def __call__(self, settings: Mapping[str, Any]) -> bool:
        """Whether it holds.

        Args:
            settings: A run's settings by dotted path.

        Raises:
            ConfigError: If it names a setting that is not there, or its values do not go together.
        """
        try:
            return bool(_value(self._tree, settings))
        except KeyError as error:
            raise self._unknown(error.args[0], settings) from error
        except (TypeError, ZeroDivisionError, OverflowError) as error:
            raise ConfigError([f"{self._called} cannot be evaluated: {error} (got {self._text!r})"]) from error

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse a setting that is not there.

        Raises:
            ConfigError: Naming it, and what may have been meant.
        """
        known = set(known)
        for name in sorted(self.names - known):
            raise self._unknown(name, known)

    def _unknown(self, name: str, known: Iterable[str]) -> ConfigError:
        hint = did_you_mean(name, known) or f" (text is quoted: '{name}')"
        return ConfigError([f"{self._called}: {name} is not a setting{hint}"])

    def _check(self, node: ast.expr) -> None:
        match node:
            case ast.BoolOp(values=parts):
                pass
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
                parts = [operand]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                parts = [left, right]
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARISONS for op in ops):
                parts = [left, *others]
            case ast.Constant(value=value) if value is None or isinstance(value, (bool, int, float, str)):
                parts = []
            case ast.Name() | ast.Attribute() if name := _dotted(node):
                parts = []
                self.names |= {name} - _CONSTANTS.keys()
            case _:
                raise ConfigError(
                    [
                        f"{self._called} may hold settings, numbers, text, arithmetic, comparisons and and/or/not, "
                        f"but not {ast.unparse(node)!r} (got {self._text!r})"
                    ]
                )
        for part in parts:
            self._check(part)


def _value(node: ast.expr, settings: Mapping[str, Any]) -> Any:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_value(part, settings) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_value(part, settings) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, settings)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, settings)
        case ast.UnaryOp(operand=operand):
            return _value(operand, settings)
        case ast.BinOp(left=left, op=op, right=right):
            return _numeric(_ARITHMETIC[type(op)], _value(left, settings), _value(right, settings))
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(part, settings) for part in (left, *others)]
            return all(_COMPARISONS[type(op)](a, b) for op, a, b in zip(ops, values, values[1:], strict=False))
        case ast.Constant(value=value):
            return value
    name = _dotted(node)
    return settings[name] if name in settings else _CONSTANTS[name]


def _numeric(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Arithmetic on numbers only: text times a large number would fill the memory."""
    for value in (left, right):
        if not isinstance(value, (bool, int, float)):
            raise TypeError(f"arithmetic needs numbers, not {value!r}")
    return operation(left, right)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""
