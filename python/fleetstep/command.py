"""Which engine is started: what the caller says, what ``FLEETSTEP_NODE`` says, or ``npx fleetstep``."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence

from .errors import EngineNotFound

VARIABLE = "FLEETSTEP_NODE"

_REMEDY = (
    f'set {VARIABLE}="node path/to/fleetstep/dist/cli/main.js", pass engine="path/to/dist/cli/main.js", '
    "or install the npm package fleetstep in the working directory"
)


def engine_command(engine: str | os.PathLike[str] | Sequence[str] | None = None) -> list[str]:
    """The command that starts the engine, as a list of words without a subcommand.

    Args:
        engine: the path of ``dist/cli/main.js``, or a command as a list of words. Default: the environment variable
            ``FLEETSTEP_NODE``, which holds a command; without it ``npx --no-install fleetstep``.

    Raises:
        EngineNotFound: there is no such file or program
    """
    if engine is not None and not isinstance(engine, (str, os.PathLike)):
        command = [os.fspath(word) for word in engine]
        source = "engine"
    elif engine is not None:
        path = os.fspath(engine)
        if not os.path.isfile(path):
            raise EngineNotFound(f"engine is {path!r}, and there is no such file: {_REMEDY}")
        command = ["node", path]
        source = "engine"
    elif os.environ.get(VARIABLE, "").strip():
        command = shlex.split(os.environ[VARIABLE])
        source = VARIABLE
    else:
        # Without --no-install it would ask on stdin whether to download the package.
        command = ["npx", "--no-install", "fleetstep"]
        source = "the default"
    if not command or shutil.which(command[0]) is None:
        raise EngineNotFound(f"{source} is {command!r}, and there is no program {command[:1]!r}: {_REMEDY}")
    return command
