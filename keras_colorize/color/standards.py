"""The numbers of sRGB and CIELAB (illuminant D65, 2° observer), for every implementation of the conversion.

Sources: IEC 61966-2-1:1999 (the sRGB transfer curve) and CIE 15:2004, section 8.2.1 (CIELAB). `docs/numerics.md` says
where conventions differ.
"""

import numpy as np

# XYZ of D65 for the 2° observer, Y = 1 (ASTM E308, as scikit-image has it).
WHITE_D65 = (0.95047, 1.0, 1.08883)

# [choice] Linear sRGB → XYZ. IEC 61966-2-1 prints this matrix to four digits. We take the six-digit matrix of
# scikit-image and OpenCV, so that figures agree with theirs. Its rows sum to (0.950456, 1, 1.088754), which is not
# exactly the white point: white has a = -0.0025, b = 0.0047, as in scikit-image.
XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)

# Linear RGB ↔ XYZ divided by the white point, which is all that CIELAB needs.
UNIT_XYZ_FROM_RGB: list[list[float]] = (np.array(XYZ_FROM_RGB) / np.array(WHITE_D65)[:, None]).tolist()
RGB_FROM_UNIT_XYZ: list[list[float]] = np.linalg.inv(UNIT_XYZ_FROM_RGB).tolist()

# IEC 61966-2-1: below these values the curve is the straight line linear = encoded / 12.92.
ENCODED_KNEE = 0.04045
LINEAR_KNEE = 0.0031308

# CIE 15: f(t) is the cube root of t above δ³, and its tangent at δ³ below. scikit-image rounds the slope to 7.787 and
# the knee to 0.008856, which makes a difference of up to 2e-4.
DELTA = 6.0 / 29.0
SLOPE = 1.0 / (3.0 * DELTA**2)
OFFSET = 4.0 / 29.0

# Lab is cut to ±10,000, far beyond any colour, so that cubes and matrix products cannot overflow into inf - inf.
LAB_LIMIT = 1e4

# How far linear light may lie outside [0, 1] for a colour to count as in gamut: more than the rounding of a round trip
# through Lab, so that a photo's colours pass, and less than one level of 16 bits.
DARK_TOLERANCE = 1e-6
BRIGHT_TOLERANCE = 2e-5
