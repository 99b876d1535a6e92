#!/usr/bin/env python3
"""Writes the golden files beside it: what PyTorch computes for the cases that the tests compare ember with.

Run by hand after a change to a generator; the tests read the JSON files and need no PyTorch:
    apt-get install python3-torch && python3 tests/golden/generate.py
"""
import generate_activations
import generate_layers
import generate_losses
import generate_numpy
import generate_more_losses
import generate_ops
import generate_optim
import generate_optim_sequences
import generate_resize
import generate_spatial

for module in (generate_ops, generate_spatial, generate_losses, generate_layers, generate_optim, generate_resize):
import generate_shape_layers
import generate_spatial

for module in (generate_ops, generate_spatial, generate_losses, generate_layers, generate_shape_layers, generate_optim):
for module in (generate_ops, generate_numpy, generate_spatial, generate_losses, generate_layers, generate_optim):
for module in (generate_ops, generate_spatial, generate_losses, generate_layers, generate_optim,
               generate_activations):
for module in (generate_ops, generate_spatial, generate_losses, generate_more_losses, generate_layers, generate_optim):
for module in (generate_ops, generate_spatial, generate_losses, generate_layers, generate_shape_layers, generate_optim,
               generate_optim_sequences):
for module in (generate_ops, generate_spatial, generate_losses, generate_more_losses, generate_layers, generate_optim,
               generate_optim_sequences):
    for golden in module.files():
        golden.write()
