"""Films, from file to colours: frames that are read, the motion between them, and chroma that moves with them.

`source` opens films: a `film_file`, or a `frame_folder`. `motion` follows places from frame to frame and finds cuts,
`propagation` carries chroma along, and `hints` does the same with hints. `pipeline` joins these steps with a network.
`film` makes a film of its frames: the `writer` puts them into `segments`, which survive a crash, and the `output` joins
these with the sound. `scenes` are the parts that can be coloured on different machines.

The package knows no network: a colorizer is given to it. PyAV and OpenCV are needed (the extra `video`).
"""
