"""Evaluation of systems on held-out photos, always beside the unchanged grey photos and a constant colour."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from PIL import features as pillow

from keras_colorize import __version__
from keras_colorize.data.batches import PhotoSet, reading_errors
from keras_colorize.data.scan import load_photos
from keras_colorize.errors import ColorizeError
from keras_colorize.evaluation.columns import TABLE
from keras_colorize.evaluation.comparison import estimates, marks, per_class
from keras_colorize.evaluation.distances import DistanceRequest
from keras_colorize.evaluation.mean_color import mean_color
from keras_colorize.evaluation.measurement import Measurement, measure
from keras_colorize.evaluation.protocols import RECIPE, PhotoChoice, Protocol, choose, get_protocol
from keras_colorize.evaluation.results import Estimate, Evaluation
from keras_colorize.evaluation.systems import System, load_systems
from keras_colorize.hardware import describe_device
from keras_colorize.metrics import AB_EDGES, entropy
from keras_colorize.metrics.bootstrap import RESAMPLES
from keras_colorize.progress import Progress, SilentProgress
from keras_colorize.recipes import Data
from keras_colorize.runs.folder import RunFolder
from keras_colorize.runs.log import read_log


def evaluate(
    found: Sequence[RunFolder | str],
    *,
    data: str | None = None,
    protocol: str = RECIPE,
    image_size: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    hints: int = 0,
    batch_size: int = 16,
    resamples: int = RESAMPLES,
    fid: str | None = None,
    kid: str | None = None,
    fid_reference: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure systems on the same photos. Only `fid_reference` is written.

    Every system colours the photos exactly as its `Colorizer` does: it frames them for its network, enlarges the
    chroma along their edges, brings it into gamut and keeps their lightness. A system that predicts RGB has a second
    row, `own lightness`, for the pictures exactly as the network paints them.

    Args:
        found: runs, and names of zoo systems with packaged weights, as `find_systems` returns them.
        data: photos to measure instead of the systems' own.
        protocol: a name of `protocols.PROTOCOLS`.
        image_size: side S in pixels at which everything is measured; by default the protocol's, or else the largest of
            the systems' sizes.
        limit: largest number of photos, evenly spaced.
        seed: seed of the bootstrap, of KID's subsets, of the random pictures and of the places of hints.
        hints: number of true colours of each photo that the systems are given, each the mean of 3×3 pixels at a random
            place.
        batch_size: photos in memory at a time; the figures do not depend on it.
        resamples: number of the bootstrap's draws.
        fid, kid: feature network of FID and of KID, by name or file.
        fid_reference: the file of FID's statistics of the true photos: read where it exists, else written.
        progress: shows how many photos have been read and measured.

    Raises:
        ColorizeError: there are no weights or no photos, a network cannot be fetched, or arguments contradict each
            other.
    """
    progress = progress or SilentProgress()
    chosen_protocol = get_protocol(protocol)
    if hints < 0:
        raise ColorizeError(f"`hints` is {hints}: expected 0 or more")
    distances = DistanceRequest.prepare(fid, kid, fid_reference)
    systems = load_systems(found)
    unable = [system.name for system in systems if hints and not system.colorizer.space.takes_hints]
    if unable:
        raise ColorizeError(
            f"{', '.join(unable)} cannot take hints: leave out `hints`, or choose systems that take them"
        )
    photo_data = chosen_protocol.data(_data_of(systems, data))
    chosen = choose(chosen_protocol, photo_data)
    size = image_size or chosen_protocol.image_size or max(system.image_size for system in systems)
    photos = load_photos(chosen.photos, replace(photo_data, image_size=size), "test", limit=limit, progress=progress)
    if distances is not None:
        distances.require(len(photos))
    with progress.counting("mean colour") as advance:
        mean_ab, remark = mean_color(chosen, photo_data, advance)

    with progress.counting("evaluating") as advance, reading_errors():
        measured = measure(
            photos,
            systems,
            mean_ab,
            batch_size=batch_size,
            seed=seed,
            hints=hints,
            network=distances.network if distances else None,
            keep_features=distances is not None and distances.kid,
            truth_features=distances is None or distances.truth_needed,
            progress=advance,
        )
    remarks = [remark, *_remarks(systems, chosen, photo_data, size)]
    if hints:
        remarks.append(f"each photo has {hints} of its own colours as hints, at random places, each of 3×3 pixels")
    about: dict[str, object] = {
        "run": str(systems[0].run) if len(systems) == 1 and systems[0].run else None,
        "systems": {system.name: _about(system) for system in systems},
        "data": photo_data.source,
        "split": chosen.photos.taken_from,
        "protocol": {
            **asdict(chosen_protocol),
            "image_size": size,
            "resize": photo_data.resize,
            "drop_grey": photo_data.drop_grey,
        },
        "photos": len(photos),
        "limit": limit,
        "seed": seed,
        "hints": hints,
        "batch_size": batch_size,
        "resamples": resamples,
        "digest": {"names": measured.names_digest, "names and pixels": measured.pixels_digest},
        "mean_ab": mean_ab,
        "left_out": {photo.name: photo.reason for photo in photos.left_out},
        "image_size": size,
        "resize": f"Pillow bicubic, antialiased, {photo_data.resize}",
        "versions": library_versions(),
        "device": describe_device(),
        "measured": datetime.now().isoformat(timespec="seconds"),
    }
    return _assemble(
        systems,
        photos,
        measured,
        distances,
        chosen_protocol,
        remarks,
        about,
        data=photo_data.source,
        image_size=size,
        resamples=resamples,
        seed=seed,
    )


def _data_of(systems: Sequence[System], data: str | None) -> Data:
    """Return the first system's table of data, with `data` as its source where that is given.

    The smallest test fraction is taken. A photo's split depends on its name alone, so the test photos of the smallest
    fraction are test photos of every system.
    """
    sources = {system.name: system.recipe.data.source for system in systems}
    if data is None and len(set(sources.values())) > 1:
        each = ", ".join(f"{name}: {source}" for name, source in sources.items())
        raise ColorizeError(f"these systems have photos of their own ({each}): give `data`, the photos to measure")
    return replace(
        systems[0].recipe.data,
        source=data or systems[0].recipe.data.source,
        test_fraction=min(system.recipe.data.test_fraction for system in systems),
    )


def _remarks(systems: Sequence[System], chosen: PhotoChoice, data: Data, size: int) -> list[str]:
    remarks = []
    on_sample = [system.name for system in systems if system.run and system.recipe.data.source == "sample"]
    if on_sample:
        remarks.append(
            f"{', '.join(on_sample)} trained on six packaged photos: the figures show that all parts work, not how good"
            " a system is"
        )
    if chosen.photos.taken_from == "train":
        place = Path(data.source).expanduser().resolve()
        trained = [s.name for s in systems if s.run and Path(s.recipe.data.source).expanduser().resolve() == place]
        if trained:
            remarks.append(
                f"{', '.join(trained)} trained on photos of {data.source}, and the protocol measures all of them:"
                " these figures are not of held-out photos"
            )
    others = {system.name: system.image_size for system in systems if system.image_size != size}
    if others:
        each = ", ".join(f"{name} {own}×{own}" for name, own in others.items())
        remarks.append(f"photos are measured at {size}×{size}; these networks work at another size: {each}")
    return remarks


def _about(system: System) -> dict[str, object]:
    return {
        "run": str(system.run) if system.run else None,
        "weights": system.digest(),
        "image_size": system.image_size,
        "parameters": system.colorizer.generator.count_params(),
    }


def library_versions() -> dict[str, str | None]:
    """Return the versions of everything that decides figures: libraries, the JPEG decoder, Python, the platform."""
    return {
        "keras-colorize": __version__,
        **{name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        # The library that decodes JPEG decides the last bit of many pixels.
        "libjpeg-turbo" if pillow.check_feature("libjpeg_turbo") else "libjpeg": pillow.version("jpg"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _assemble(
    systems: Sequence[System],
    photos: PhotoSet,
    measured: Measurement,
    distances: DistanceRequest | None,
    protocol: Protocol,
    remarks: list[str],
    about: dict[str, object],
    *,
    data: str,
    image_size: int,
    resamples: int,
    seed: int,
) -> Evaluation:
    names = [system.name for system in systems]
    figures, differences = estimates(measured.rows, resamples=resamples, seed=seed)
    for row, histogram in measured.histograms.items():
        figures[row]["ab_entropy_set"] = Estimate(float(entropy(histogram)))
    columns = list(TABLE)
    if distances is not None:
        more, of_sets, notes = distances.measure(measured.features, measured.pixels_digest, seed)
        columns += more
        remarks = [*remarks, *notes]
        for row, distance in of_sets.items():
            figures[row] |= distance
    subject = names[0] if len(names) == 1 else f"{len(names)} systems"
    kind = "test photos" if not protocol.whole else f"photos, protocol {protocol.name}"
    return Evaluation(
        title=f"{subject}: {len(photos):,} {kind}, {data}",
        data=data,
        protocol=protocol.name,
        image_size=image_size,
        photos=list(photos.names),
        rows=list(measured.rows),
        systems=names,
        columns=columns,
        per_photo=measured.rows,
        figures=figures,
        differences=differences,
        marks=marks(figures, differences, names),
        per_class=per_class(measured.rows, photos.names),
        histograms=measured.histograms,
        ab_edges=AB_EDGES.astype(float),
        curves={s.name: read_log(s.run.log_file) if s.run and s.run.log_file.is_file() else None for s in systems},
        gallery=measured.gallery,
        remarks=remarks,
        about=about,
    )
