"""Thousands of photos: the plan of files, the workers that colorize them, and the files that are written."""
