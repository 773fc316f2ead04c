"""The package's version, which goes with the engine's: the first two numbers must be the same."""

__version__ = "0.1.0"
