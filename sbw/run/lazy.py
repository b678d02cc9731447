"""Packages whose names are imported at their first use."""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy(package: str, file: str) -> tuple[Callable[[str], Any], list[str]]:
    """`__getattr__` and `__all__` of a package whose names, with their modules, are in the stub beside it.

    Args:
        package: its `__name__`.
        file: its `__file__`; `__init__.pyi` beside it has lines `from MODULE import NAME as NAME`.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: str(node.module) for node in imports for alias in node.names}

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        is_module = homes[name] == package
        return import_module(f"{package}.{name}") if is_module else getattr(import_module(homes[name]), name)

    return attribute, sorted(homes)
