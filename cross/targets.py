"""The files in targets/, for the scripts that are in Python."""

import os
import shlex


def names():
    """The targets there are."""
    return sorted(name for name in os.listdir("targets") if "." not in name)


def settings(name):
    """The settings of a target: a shell file that has nothing else."""
    with open(f"targets/{name}", encoding="utf-8") as file:
        words = shlex.split(file.read(), comments=True)
    return dict(word.split("=", 1) for word in words)
