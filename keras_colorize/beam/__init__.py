"""Colorizing on many machines, with Apache Beam (docs/beam.md).

`options` and `jobs` check a run before TensorFlow is loaded. Photos go through an exported SavedModel: `model` exports
it, `chroma` runs its network, `pipeline` has the step for each chunk of photos, `outcome` what has become of them, and
`run` is one run from beginning to end. `film` is the same for films.
"""
