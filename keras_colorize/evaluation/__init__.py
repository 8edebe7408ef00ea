"""Measuring any number of systems on the same photos, beside grey and a constant colour."""
