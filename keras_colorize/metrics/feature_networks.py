"""Networks whose features FID and KID compare, by name or by file.

FID depends on the network as much as on the images: weights, resize filter and input range all change it. So every
network here prepares uint8 photos itself, and its label stands beside every number.
"""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_colorize.errors import ColorizeError, did_you_mean
from keras_colorize.tensor import Tensor

INCEPTION_2015 = "inception-2015-12-05"
KERAS_INCEPTION = "keras-inception-v3"

INCEPTION_URL = "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
INCEPTION_ARCHIVE = "inception-2015-12-05.tgz"  # 88,931,400 bytes
INCEPTION_GRAPH = "classify_image_graph_def.pb"  # 95,673,916 bytes
# The checksum is of the graph and not of the archive. The graph defines the numbers, and people pass it on alone too
# (this digest is on record for the copy beside OpenAI's reference batches for guided-diffusion).
INCEPTION_SHA256 = "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6"
KERAS_INCEPTION_WEIGHTS = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True)
class FeatureNetwork:
    """A network that turns photos into feature vectors.

    Attributes:
        label: its name, to be printed beside every number that rests on it.
        features: D, the length of a feature vector.
        function: (B, H, W, 3) uint8 RGB → (B, D), as numpy arrays.
    """

    label: str
    features: int
    function: Callable[[np.ndarray], Tensor]

    def __call__(self, rgb_u8: Tensor) -> np.ndarray:
        """Return the features (B, D) float32 of a batch (B, H, W, 3) of uint8 RGB photos.

        Raises:
            ColorizeError: the batch is of another kind. Floats are refused because rounding to uint8 changes the
                features: a photo is measured as it would be stored.
        """
        dtype = keras.backend.standardize_dtype(getattr(rgb_u8, "dtype", "object"))
        shape = tuple(getattr(rgb_u8, "shape", ()))
        if dtype != "uint8" or len(shape) != 4 or shape[-1] != 3:
            raise ColorizeError(f"{self.label}: expected uint8 photos (B, H, W, 3), got {dtype} of shape {shape}")
        return np.asarray(self.function(np.asarray(rgb_u8)), np.float32)


def feature_network(name: str | Path) -> FeatureNetwork:
    """Return the feature network of that name, after fetching and trying it.

    - `inception-2015-12-05`: the network of the original FID (Heusel et al. 2017), 2048 features. Its graph itself
      resizes the photo to 299×299, bilinearly without antialiasing and with TensorFlow 1's corner convention, and
      scales it by (x − 128)/128.
    - `keras-inception-v3`: `keras.applications.InceptionV3` with ImageNet weights, averaged, 2048 features; bilinear to
      299×299 with antialiasing, x/127.5 − 1. Other weights, other numbers than the original's.
    - a `.keras` or `.h5` file: see `keras_network`. Its label is the file's name with the start of its SHA-256.
    - a `.pb` file: see `frozen_graph_network`. Its label is made likewise.

    Raises:
        ColorizeError: the name is unknown, the network can be neither found nor fetched, or it does not give one vector
            per photo.
    """
    if name == INCEPTION_2015:
        return frozen_graph_network(_fetch_inception_2015(), label=INCEPTION_2015, source=INCEPTION_GRAPH)
    if name == KERAS_INCEPTION:
        return _keras_inception()
    path = Path(name).expanduser()
    names = (INCEPTION_2015, KERAS_INCEPTION)
    if path.suffix not in (".keras", ".h5", ".pb"):
        raise ColorizeError(
            f"unknown feature network '{name}'{did_you_mean(str(name), names)} "
            f"(known: {', '.join(names)}, or a .keras, .h5 or .pb file)"
        )
    content = _read(path)
    label = f"{path.name} {hashlib.sha256(content).hexdigest()[:8]}"
    if path.suffix == ".pb":
        return frozen_graph_network(content, label=label, source=str(path))
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the file's contents provoke
        raise ColorizeError(f"cannot load '{path}' as a Keras model: {_one_line(error)}") from error
    return keras_network(model, label)


def keras_network(model: keras.Model, label: str) -> FeatureNetwork:
    """Make a feature network of a Keras model that takes RGB in 0…255 as floats and gives (B, D).

    The model does any further preprocessing itself. Photos are resized (bilinear, antialiased) where its input has a
    fixed size; otherwise they come as they are.

    Raises:
        ColorizeError: the model does not take (B, H, W, 3) or does not give (B, D).
    """
    if keras.backend.backend() != "tensorflow":
        raise ColorizeError(f"{label}: Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow for FID")
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        raise ColorizeError(f"{label}: a feature network takes RGB (B, H, W, 3), this model takes {shape}")
    size = shape[1:3]

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
    def features(rgb_u8: Tensor) -> Tensor:
        return tf.cast(model(_resized(rgb_u8, size), training=False), tf.float32)

    return _tried(label, features)


def frozen_graph_network(
    graph: bytes | str | Path,
    label: str,
    source: str = "the graph",
    input_name: str | None = None,
    output_name: str | None = None,
) -> FeatureNetwork:
    """Make a feature network of a frozen TensorFlow 1 graph, which runs as it is.

    The batch enters in 0…255, in the input's dtype, and is resized (bilinear, antialiased) to the input's size where
    its placeholder states one. An output of (B, 1, 1, D) counts as (B, D).

    Args:
        graph: a serialized GraphDef, or the path of one.
        label: its name, to be printed beside its numbers.
        source: the name of the graph in errors.
        input_name, output_name: tensors such as `"ExpandDims:0"` and `"pool_3:0"`, which are the default where the
            graph has both. Otherwise the default is its only placeholder and its only output that nothing consumes.

    Raises:
        ColorizeError: this is no graph, it lacks a tensor, or its output is not one vector per photo.
    """
    graph_def = _parse(graph if isinstance(graph, bytes) else _read(Path(graph)), source)
    nodes = {node.name: node for node in graph_def.node}
    if input_name is None or output_name is None:
        found = _endpoints(graph_def, source)
        input_name, output_name = input_name or found[0], output_name or found[1]
    for tensor in (input_name, output_name):
        if tensor.split(":")[0] not in nodes:
            raise ColorizeError(f"{source} has no tensor '{tensor}'{did_you_mean(tensor, [f'{n}:0' for n in nodes])}")

    entry = nodes[input_name.split(":")[0]]
    kind = entry.attr["dtype" if entry.op == "Placeholder" else "T"].type
    dtype = tf.as_dtype(kind) if kind else tf.float32
    stated = tf.TensorShape(entry.attr["shape"].shape) if "shape" in entry.attr else tf.TensorShape(None)
    size = stated[1:3].as_list() if stated.rank == 4 else [None]

    # A session runs it, because a tf.function loses the version that a graph was written for. The 2015 graph holds
    # operators (BatchNormWithGlobalNormalization) that TensorFlow runs for graphs of that age only.
    with tf.Graph().as_default() as session_graph:
        photos = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3])
        rgb = _resized(photos, size)
        rgb = tf.cast(tf.round(rgb) if dtype.is_integer else rgb, dtype)
        try:
            (output,) = tf.graph_util.import_graph_def(graph_def, {input_name: rgb}, [output_name], name="graph")
        except ValueError as error:
            raise ColorizeError(f"{label} does not take a batch of photos: {_one_line(error)}") from error
        output = tf.cast(output, tf.float32)
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)  # an old operator may have no GPU version
    config.gpu_options.allow_growth = True  # the generator has memory of the device already
    session = tf.compat.v1.Session(graph=session_graph, config=config)

    def features(rgb_u8: np.ndarray) -> np.ndarray:
        vectors = session.run(output, {photos: rgb_u8})
        return vectors[:, 0, 0] if vectors.ndim == 4 and vectors.shape[1:3] == (1, 1) else vectors

    return _tried(label, features)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ColorizeError(f"there is no feature network at '{path}'")
    return path.read_bytes()


def _resized(rgb_u8: Tensor, size: Sequence[int | None]) -> Tensor:
    """Return photos as float32 in 0…255, resized to `size` (height, width) where that is fixed."""
    rgb = tf.cast(rgb_u8, tf.float32)
    return rgb if None in size else tf.image.resize(rgb, size, method="bilinear", antialias=True)


def _tried(label: str, function: Callable[[np.ndarray], Tensor]) -> FeatureNetwork:
    """Try the function on two black photos, so that a network that does not fit fails before any work starts."""
    try:
        shape = tuple(function(np.zeros((2, 64, 64, 3), np.uint8)).shape)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise ColorizeError(f"{label} does not run on a batch of photos: {_one_line(error)}") from error
    if len(shape) != 2 or shape[0] != 2:
        raise ColorizeError(f"{label} must give one vector per photo, (2, D) for two; it gives {shape}")
    return FeatureNetwork(label, shape[1], function)


def _parse(content: bytes, source: str) -> tf.compat.v1.GraphDef:
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError, which TensorFlow does not re-export
        raise ColorizeError(f"{source} is not a frozen TensorFlow graph ({_one_line(error)})") from error
    return graph_def


def _endpoints(graph_def: tf.compat.v1.GraphDef, source: str) -> tuple[str, str]:
    """Find the tensors by which photos enter and features leave."""
    names = {node.name for node in graph_def.node}
    if {"ExpandDims", "pool_3"} <= names:
        return "ExpandDims:0", "pool_3:0"
    consumed = {reference.lstrip("^").split(":")[0] for node in graph_def.node for reference in node.input}
    inputs = [node.name for node in graph_def.node if node.op == "Placeholder"]
    outputs = [name for name in names - consumed if name not in inputs]
    if len(inputs) != 1 or len(outputs) != 1:
        raise ColorizeError(
            f"{source} has {len(inputs)} placeholders and {len(outputs)} outputs, not one of each, nor the tensors "
            "ExpandDims and pool_3: give `input_name` and `output_name`"
        )
    return f"{inputs[0]}:0", f"{outputs[0]}:0"


def _models_folder() -> Path:
    """Return the folder in which Keras keeps the files that it fetches."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def _fetch_inception_2015() -> bytes:
    """Read the original Inception graph from the cache, or fetch it from its published address, and verify it."""
    folder = _models_folder()
    if (folder / INCEPTION_GRAPH).is_file():
        source = folder / INCEPTION_GRAPH
        content = source.read_bytes()
    else:
        source = folder / INCEPTION_ARCHIVE
        if not source.is_file():
            with suppress(OSError):  # get_file would take a temporary folder if Keras's own were missing
                folder.mkdir(parents=True, exist_ok=True)
            try:
                source = Path(
                    keras.utils.get_file(
                        INCEPTION_ARCHIVE, INCEPTION_URL, cache_dir=str(folder.parent), cache_subdir=folder.name
                    )
                )
            except Exception as error:  # get_file raises plain Exception
                raise ColorizeError(_unreachable(INCEPTION_2015, INCEPTION_ARCHIVE, INCEPTION_URL, error)) from error
        try:
            with tarfile.open(source) as archive:
                member = next(m for m in archive if m.isfile() and Path(m.name).name == INCEPTION_GRAPH)
                content = archive.extractfile(member).read()  # type: ignore[union-attr]  # a file has contents
        except (tarfile.TarError, OSError, EOFError, StopIteration, zlib.error) as error:
            raise ColorizeError(
                f"'{source}' is not the archive it should be ({_one_line(error)}): delete it, try again"
            ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != INCEPTION_SHA256:
        raise ColorizeError(
            f"{INCEPTION_GRAPH} from '{source}' has SHA-256 {digest}, expected {INCEPTION_SHA256}: delete it, try again"
        )
    return content


def _keras_inception() -> FeatureNetwork:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # a network that trains in bfloat16 is still measured in float32
    try:
        backbone = keras.applications.InceptionV3(include_top=False, pooling="avg", input_shape=(299, 299, 3))
        rgb = keras.Input((299, 299, 3))
        model = keras.Model(rgb, backbone(keras.applications.inception_v3.preprocess_input(rgb)))
    except Exception as error:  # get_file raises plain Exception
        address = "storage.googleapis.com/tensorflow/keras-applications/inception_v3"
        raise ColorizeError(_unreachable(KERAS_INCEPTION, KERAS_INCEPTION_WEIGHTS, address, error)) from error
    finally:
        keras.config.set_dtype_policy(before)
    return keras_network(model, KERAS_INCEPTION)


def _unreachable(network: str, file: str, address: str, error: Exception) -> str:
    return (
        f"{network} needs {file}, which could not be fetched from {address} ({_one_line(error)}): put the file into "
        f"{_models_folder()}, or measure with a .keras, .h5 or .pb file of your own"
    )


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
