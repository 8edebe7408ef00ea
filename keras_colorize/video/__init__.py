"""Films, from file to colours: frames that are read, the motion between them, and chroma that moves with them.

`read` opens films and folders of numbered frames, `motion` follows places from frame to frame and finds cuts,
`propagation` carries chroma along, and `hints` does the same with hints. `pipeline` joins these steps with a network.
`film` makes a file of its frames, by `write` and `segments`, which survive a crash.

The package knows no network: a colorizer is given to it. PyAV and OpenCV are needed (the extra `video`).
"""
