"""The command line. Thin: it parses, calls the library and prints."""

from hiprobe.cli.app import main

__all__ = ["main"]
