"""Colorizing on many machines: an Apache Beam pipeline over an exported SavedModel (docs/beam.md).

`options` and `jobs` check a run before TensorFlow is loaded. `model` exports the SavedModel, `chroma` runs its network
with Beam's RunInference, `pipeline` has the steps for each photo, and `run` is one run from beginning to end.
"""
