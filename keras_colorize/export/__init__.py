"""From a trained network to files that others run: SavedModel, TFLite, ONNX, each verified by its own runtime."""
