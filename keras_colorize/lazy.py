"""Imports that wait, and imports that are quiet.

Public names are imported at first use. An action can follow the import of a module, and what a module writes to the
terminal while it is imported can be kept from the user.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a package whose public names are imported at first use (PEP 562).

    Args:
        package: the package's `__name__`.
        homes: for each public name the module that defines it, relative to the package: "color.lab".

    Returns:
        Two functions for the package to assign to `__getattr__` and `__dir__`.
    """

    def getattr_(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    def dir_() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return getattr_, dir_


def after_import(name: str, action: Callable[[], object]) -> None:
    """Call `action` once, as soon as a module is imported: now if it is loaded already, else right after its import.

    Args:
        name: of a module at the top level, such as "keras".
        action: called without arguments.
    """
    if name in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _ImportHook(name, nullcontext, action))


def import_quietly(name: str) -> None:
    """Keep from the user what a module writes to standard error while it is imported, unless the import fails.

    Args:
        name: of a module at the top level, such as "tensorflow"; nothing happens where it is loaded already.
    """
    if name not in sys.modules:
        sys.meta_path.insert(0, _ImportHook(name, quiet_stderr, lambda: None))


class LateModule:
    """Stands for a module, and imports it when something of it is used for the first time.

    Args:
        name: of the module, in full, such as "keras.ops".
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


class LateClass:
    """Stands for a class in a registry of Keras, and imports it when Keras makes an instance of it.

    Args:
        module: that defines the class, in full.
        name: of the class, which must have a class method `from_config`.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def from_config(self, config: dict[str, object]) -> object:
        """Make an instance of the class."""
        return getattr(import_module(self._module), self._name).from_config(config)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what this process writes to standard error, compiled code too; show it if the block raises."""
    sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # a process without a terminal and without standard error
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)  # compiled code writes past sys.stderr
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


class _ImportHook(MetaPathFinder):
    """Leaves it to the other finders to find a module, and adds a context and an action to its execution."""

    def __init__(
        self, name: str, context: Callable[[], AbstractContextManager[None]], action: Callable[[], object]
    ) -> None:
        self._name = name
        self._context = context
        self._action = action
        self._asking_others = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name or self._asking_others:
            return None
        self._asking_others = True
        try:
            spec = find_spec(fullname)
        finally:
            self._asking_others = False
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_act(module: ModuleType) -> None:
            with self._context():
                execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self._action()

        spec.loader.exec_module = execute_and_act  # type: ignore[method-assign]
        return spec
