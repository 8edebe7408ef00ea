// Colour: sRGB, CIELAB and the gamut, as keras_colorize/color/ computes them.
// Levels are bytes of sRGB. L, a, b are CIE units for D65. `fy` is (L + 16) / 116, from which everything else follows.

// Linear sRGB → XYZ and the white point, as in color/lab.py; with XYZ divided by white, CIELAB needs nothing else.
const WHITE = [0.95047, 1.0, 1.08883];
const XYZ_FROM_RGB = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
const UNIT_XYZ_FROM_RGB = XYZ_FROM_RGB.map((row, i) => row.map((value) => value / WHITE[i]));
const M = inverse(UNIT_XYZ_FROM_RGB).flat();
const [LUMINANCE_R, LUMINANCE_G, LUMINANCE_B] = UNIT_XYZ_FROM_RGB[1];

// CIE 15: f(t) = cube root of t above δ³, and the straight line that touches it there below.
const DELTA = 6 / 29;
const SLOPE = 1 / (3 * DELTA ** 2);
const OFFSET = 4 / 29;

// How far outside [0, 1] linear light may lie for a colour to count as in gamut, as in color/gamut.py.
const DARKEST = -1e-6;
const BRIGHTEST = 1 + 2e-5;
const BISECTIONS = 10;

// Linear light of each level, and where the rounding to each level begins.
const LINEAR = Float64Array.from({ length: 256 }, (_, level) => decoded(level / 255));
const BEGINS = Float64Array.from({ length: 257 }, (_, level) => (level < 256 ? decoded((level - 0.5) / 255) : Infinity));
// A level not above the right one for each 4096th of linear light, from which a few steps lead to it.
const STEPS = 4096;
const NEAR = new Uint8Array(STEPS + 1);
for (let step = 0, level = 0; step <= STEPS; step++) {
  while (BEGINS[level + 1] <= step / STEPS) level++;
  NEAR[step] = level;
}

/** `fy` of each pixel of `rgba`: Float32Array (n). */
export function lightnessOf(rgba) {
  const fy = new Float32Array(rgba.length / 4);
  for (let i = 0, at = 0; i < fy.length; i++, at += 4) {
    fy[i] = f(LUMINANCE_R * LINEAR[rgba[at]] + LUMINANCE_G * LINEAR[rgba[at + 1]] + LUMINANCE_B * LINEAR[rgba[at + 2]]);
  }
  return fy;
}

/** L of `fy`. */
export const lightness = (fy) => 116 * fy - 16;

/** [L, a, b] of three levels. */
export function labOf([r, g, b]) {
  const [fx, fy, fz] = UNIT_XYZ_FROM_RGB.map((row) => f(row[0] * LINEAR[r] + row[1] * LINEAR[g] + row[2] * LINEAR[b]));
  return [lightness(fy), 500 * (fx - fy), 200 * (fy - fz)];
}

/** [L, a, b] of a colour as CSS writes it: "#b22222", "#b22". */
export function labOfHex(text) {
  const digits = text.length === 4 ? [...text.slice(1)].map((digit) => digit + digit) : text.slice(1).match(/../g);
  return labOf(digits.map((pair) => Number.parseInt(pair, 16)));
}

/** The levels [r, g, b] of a colour, with as much of its chroma as sRGB shows at that lightness. */
export function levelsOf(L, a, b) {
  const out = new Uint8ClampedArray(4);
  writeColor(out, 0, (L + 16) / 116, a, b);
  return [out[0], out[1], out[2]];
}

/** The same as CSS writes it. */
export function hexOf(L, a, b) {
  return `#${levelsOf(L, a, b).map((level) => level.toString(16).padStart(2, "0")).join("")}`;
}

/** The share of the chroma (a, b) that sRGB shows at L, in [0, 1]: `clip_chroma` of color/gamut.py. */
export function shownShare(L, a, b) {
  const fy = (L + 16) / 116;
  if (isShown(fy, a, b)) return 1;
  let share = 0;
  for (let step = 0.5, i = 0; i < BISECTIONS; step /= 2, i++) if (isShown(fy, (share + step) * a, (share + step) * b)) share += step;
  return share;
}

/** The strongest chroma that sRGB shows at L in the direction of a hue in radians. */
export function strongest(L, hue) {
  const most = 140; // more than any colour of sRGB has
  return most * shownShare(L, most * Math.cos(hue), most * Math.sin(hue));
}

/** Write the three levels of a colour to `out[at]` and after it; chroma outside the gamut is reduced. */
export function writeColor(out, at, fy, a, b) {
  const y = fInverse(fy);
  let x = fInverse(fy + a / 500);
  let z = fInverse(Math.max(fy - b / 200, 0));
  let red = M[0] * x + M[1] * y + M[2] * z;
  let green = M[3] * x + M[4] * y + M[5] * z;
  let blue = M[6] * x + M[7] * y + M[8] * z;
  if (
    red < DARKEST || green < DARKEST || blue < DARKEST ||
    red > BRIGHTEST || green > BRIGHTEST || blue > BRIGHTEST
  ) {
    let share = 0;
    for (let step = 0.5, i = 0; i < BISECTIONS; step /= 2, i++) {
      if (isShown(fy, (share + step) * a, (share + step) * b)) share += step;
    }
    x = fInverse(fy + (share * a) / 500);
    z = fInverse(Math.max(fy - (share * b) / 200, 0));
    red = M[0] * x + M[1] * y + M[2] * z;
    green = M[3] * x + M[4] * y + M[5] * z;
    blue = M[6] * x + M[7] * y + M[8] * z;
  }
  out[at] = levelOf(red);
  out[at + 1] = levelOf(green);
  out[at + 2] = levelOf(blue);
}

function isShown(fy, a, b) {
  const x = fInverse(fy + a / 500);
  const y = fInverse(fy);
  const z = fInverse(Math.max(fy - b / 200, 0));
  for (let i = 0; i < 9; i += 3) {
    const linear = M[i] * x + M[i + 1] * y + M[i + 2] * z;
    if (linear < DARKEST || linear > BRIGHTEST) return false;
  }
  return true;
}

function decoded(encoded) {
  return encoded > 0.04045 ? ((encoded + 0.055) / 1.055) ** 2.4 : encoded / 12.92;
}

function levelOf(linear) {
  let nearest = NEAR[(linear < 0 ? 0 : linear > 1 ? 1 : linear) * STEPS | 0];
  while (linear >= BEGINS[nearest + 1]) nearest++;
  return nearest;
}

function f(t) {
  return t > DELTA ** 3 ? Math.cbrt(t) : t * SLOPE + OFFSET;
}

function fInverse(v) {
  return v > DELTA ? v * v * v : (v - OFFSET) / SLOPE;
}

function inverse([[a, b, c], [d, e, g], [h, i, j]]) {
  const cofactors = [
    [e * j - g * i, c * i - b * j, b * g - c * e],
    [g * h - d * j, a * j - c * h, c * d - a * g],
    [d * i - e * h, b * h - a * i, a * e - b * d],
  ];
  const determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0];
  return cofactors.map((row) => row.map((value) => value / determinant));
}
