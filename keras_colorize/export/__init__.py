"""Exports of a trained network: SavedModel, TFLite and ONNX files, each verified with the runtime that will run it."""
