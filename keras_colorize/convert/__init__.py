"""PyTorch checkpoints → Keras weights of a recipe's networks, with the same numbers.

`conversion.convert` checks where to (`files`), splits a state dict into networks (`checkpoints`), recognizes its
names (`spellings`), puts every entry into a layer (`transfer`) and compares the result with PyTorch's (`verify`,
`torch_modules`).
"""
