#!/usr/bin/env python3
"""Writes the golden files beside it: what PyTorch computes for the cases that the tests compare ember with.

Runs every generate_<family>.py, whose files() gives the files of that family, but generate_models.py, which needs
torchvision and runs by itself. Run by hand after a change to a generator;
the tests read the JSON files and need no PyTorch:
    apt-get install python3-torch && python3 tests/golden/generate.py
"""
import importlib
from pathlib import Path

for path in sorted(Path(__file__).resolve().parent.glob("generate_*.py")):
    if path.stem == "generate_models":
        continue
    for golden in importlib.import_module(path.stem).files():
        golden.write()
