"""Colorizing on many machines: an Apache Beam pipeline over an exported SavedModel (docs/beam.md).

`options` and `jobs` are what can be known before TensorFlow is loaded, `model` the SavedModel, `chroma` the network in
it as Beam's RunInference runs it, `pipeline` what happens to each photo, `run` one run from beginning to end.
"""
