"""A run is a folder: how it is made, read, trained into and evaluated."""
