"""Starter probes: small probe files for the embedded backbone that come with the package, each with a card."""

from hiprobe.probes.starter import (
    DEFAULT_STARTER,
    StarterProbe,
    find_starter,
    load_probe,
    load_starter,
    starter_probes,
)

__all__ = [
    "DEFAULT_STARTER",
    "StarterProbe",
    "find_starter",
    "load_probe",
    "load_starter",
    "starter_probes",
]
