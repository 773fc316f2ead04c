"""What can go wrong with the engine. Bad arguments are ``TypeError`` and ``ValueError``, as everywhere in Python."""

from __future__ import annotations


class FleetstepError(Exception):
    """Any error of the engine or of the way to it."""


class EngineNotFound(FleetstepError):
    """There is no engine to start."""


class EngineRefused(FleetstepError):
    """The engine refused what it was asked for: a scenario, data, a version. ``code`` is its stable code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class EngineDied(FleetstepError):
    """The engine's process has ended; the message has its last lines."""
