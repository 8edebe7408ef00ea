"""Conversion of PyTorch checkpoints to Keras weights of a recipe's networks, with the same numbers.

`conversion.convert` checks the files to write (`destinations`), splits a state dict into networks (`checkpoints`),
recognizes its names (`spellings`), puts every entry into a layer (`transfer`) and compares the result with PyTorch's
(`verification`, `torch_modules`).
"""
