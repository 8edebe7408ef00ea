// The arithmetic of keras_colorize/color/, inference/frame.py and inference/finish.py, on typed arrays.
// `rgba`: four bytes per pixel, sRGB. `L`, `ab`: CIE units, D65. Pictures are row by row, channels interleaved.

// Linear sRGB → XYZ and the white point, as in color/lab.py; with XYZ divided by white, CIELAB needs nothing else.
const WHITE = [0.95047, 1.0, 1.08883];
const XYZ_FROM_RGB = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
const UNIT_XYZ_FROM_RGB = XYZ_FROM_RGB.map((row, i) => row.map((value) => value / WHITE[i]));
const RGB_FROM_UNIT_XYZ = inverse(UNIT_XYZ_FROM_RGB);

// CIE 15: f(t) = cube root of t above δ³, and the straight line that touches it there below.
const DELTA = 6 / 29;
const SLOPE = 1 / (3 * DELTA ** 2);
const OFFSET = 4 / 29;

// How far outside [0, 1] linear light may lie for a colour to count as in gamut, as in color/gamut.py.
const DARK_TOLERANCE = 1e-6;
const BRIGHT_TOLERANCE = 2e-5;
const BISECTIONS = 10;

// Of the windows, in pixels and squared units of L at the network's size, as in inference/finish.py.
const RADIUS = 1;
const EPSILON = 50;

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

/** Lightness of `rgba`: Float32Array (n), 0 to 100. */
export function lightness(rgba) {
  const L = new Float32Array(rgba.length / 4);
  for (let i = 0; i < L.length; i++) L[i] = 116 * f(luminance(rgba, 4 * i)) - 16;
  return L;
}

/** Chroma of `rgb`, three bytes per pixel: Float32Array (n, 2). */
export function chroma(rgb) {
  const ab = new Float32Array((rgb.length / 3) * 2);
  const [mx, my, mz] = UNIT_XYZ_FROM_RGB;
  for (let i = 0, o = 0; i < rgb.length; i += 3, o += 2) {
    const fy = f(weighted(my, rgb, i));
    ab[o] = 500 * (f(weighted(mx, rgb, i)) - fy);
    ab[o + 1] = 200 * (fy - f(weighted(mz, rgb, i)));
  }
  return ab;
}

/**
 * The whole photo in the middle of a square or other frame, never squashed, with mirrored borders: as inference/frame.py fits
 * photos for networks of one size. Bicubic over all pixels that fall into one, as Pillow does it.
 *
 * Returns `rgba` of (rows, columns) with alpha 255, and where the photo lies in it: left, top, width, height.
 */
export function fitted(rgba, width, height, columns, rows) {
  const scale = Math.min(columns / width, rows / height);
  const [newWidth, newHeight] = [width, height].map((length) => Math.max(1, Math.round(length * scale)));
  const [left, top] = [(columns - newWidth) >> 1, (rows - newHeight) >> 1];
  const across = bicubicWeights(width, newWidth);
  const down = bicubicWeights(height, newHeight);
  const narrow = new Uint8ClampedArray(newWidth * height * 4);
  const small = new Uint8ClampedArray(newWidth * newHeight * 4);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < newWidth; x++, at += 4) {
      blend(rgba, 4 * (y * width + across[x].first), 4, across[x].weights, narrow, at);
    }
  }
  for (let y = 0, at = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++, at += 4) {
      blend(narrow, 4 * (down[y].first * newWidth + x), 4 * newWidth, down[y].weights, small, at);
    }
  }
  const whole = new Uint8ClampedArray(columns * rows * 4).fill(255);
  for (let y = 0, at = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, at += 4) {
      const from = 4 * (mirrored(y - top, newHeight) * newWidth + mirrored(x - left, newWidth));
      for (let c = 0; c < 3; c++) whole[at + c] = small[from + c];
    }
  }
  return { rgba: whole, left, top, width: newWidth, height: newHeight };
}

/** A part of a picture (any rows, columns, channels): Float32Array (height, width, channels). */
export function cropped(values, columns, channels, { left, top, width, height }) {
  const part = new Float32Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * columns + left) * channels;
    part.set(values.subarray(from, from + width * channels), y * width * channels);
  }
  return part;
}

/**
 * Chroma as a linear function of lightness around each place: the mean slope of the windows over it, through its own
 * L and ab. See `guided_coefficients` of inference/finish.py.
 * L (height, width), ab (height, width, 2) → Float32Array (height, width, 4): slopes of a and b, then offsets.
 */
export function guidedCoefficients(L, ab, width, height) {
  const products = new Float32Array(L.length * 6);
  for (let i = 0, o = 0; i < L.length; i++, o += 6) {
    const centered = L[i] - 50;
    products[o] = centered;
    products[o + 1] = ab[2 * i];
    products[o + 2] = ab[2 * i + 1];
    products[o + 3] = centered * centered;
    products[o + 4] = centered * ab[2 * i];
    products[o + 5] = centered * ab[2 * i + 1];
  }
  const means = boxMean(products, width, height, 6);
  const slopes = new Float32Array(ab.length);
  for (let i = 0, o = 0; i < slopes.length; i += 2, o += 6) {
    const variance = Math.max(means[o + 3] - means[o] ** 2, 0) + EPSILON;
    slopes[i] = (means[o + 4] - means[o] * means[o + 1]) / variance;
    slopes[i + 1] = (means[o + 5] - means[o] * means[o + 2]) / variance;
  }
  const slope = boxMean(slopes, width, height, 2);
  const lines = new Float32Array(L.length * 4);
  for (let i = 0; i < L.length; i++) {
    for (let c = 0; c < 2; c++) {
      lines[4 * i + c] = slope[2 * i + c];
      lines[4 * i + 2 + c] = ab[2 * i + c] - slope[2 * i + c] * L[i];
    }
  }
  return lines;
}

/**
 * The photo in grey and in colour, its own lightness in both and its alpha kept.
 *
 * coefficients: (rows, columns, 4) of `guidedCoefficients` over the whole photo, enlarged bilinearly with pixel centres
 * aligned. Colours outside sRGB keep lightness and hue and lose chroma.
 */
export function recolored(rgba, width, height, coefficients, columns, rows) {
  const grey = new Uint8ClampedArray(rgba.length);
  const color = new Uint8ClampedArray(rgba.length);
  const across = positions(width, columns);
  const down = positions(height, rows);
  const row = new Float32Array(4 * columns);
  const linear = new Float64Array(3);
  for (let y = 0; y < height; y++) {
    const above = 4 * columns * down.before[y];
    const below = 4 * columns * Math.min(down.before[y] + 1, rows - 1);
    for (let i = 0; i < row.length; i++) {
      row[i] = coefficients[above + i] + down.share[y] * (coefficients[below + i] - coefficients[above + i]);
    }
    for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const light = luminance(rgba, at);
      const fy = f(light);
      const L = 116 * fy - 16;
      const left = 4 * across.before[x];
      const right = 4 * Math.min(across.before[x] + 1, columns - 1);
      const share = across.share[x];
      const a = mix(row, left, right, share) * L + mix(row, left + 2, right + 2, share);
      const b = mix(row, left + 1, right + 1, share) * L + mix(row, left + 3, right + 3, share);
      linearInGamut(fy, a, b, linear);
      color[at] = level(linear[0]);
      color[at + 1] = level(linear[1]);
      color[at + 2] = level(linear[2]);
      grey[at] = grey[at + 1] = grey[at + 2] = level(light);
      color[at + 3] = grey[at + 3] = rgba[at + 3];
    }
  }
  return { grey, color };
}

/** The photo in grey: `rgba` → neutral grey of the same lightness and alpha. */
export function greyOf(rgba) {
  const grey = new Uint8ClampedArray(rgba.length);
  for (let at = 0; at < rgba.length; at += 4) {
    grey[at] = grey[at + 1] = grey[at + 2] = level(luminance(rgba, at));
    grey[at + 3] = rgba[at + 3];
  }
  return grey;
}

function decoded(encoded) {
  return encoded > 0.04045 ? ((encoded + 0.055) / 1.055) ** 2.4 : encoded / 12.92;
}

function level(linear) {
  let nearest = NEAR[Math.min(Math.max(linear, 0), 1) * STEPS | 0];
  while (linear >= BEGINS[nearest + 1]) nearest++;
  return nearest;
}

function f(t) {
  return t > DELTA ** 3 ? Math.cbrt(t) : t * SLOPE + OFFSET;
}

function fInverse(v) {
  return v > DELTA ? v * v * v : (v - OFFSET) / SLOPE;
}

function luminance(rgba, at) {
  return weighted(UNIT_XYZ_FROM_RGB[1], rgba, at);
}

function weighted(m, pixels, at) {
  return m[0] * LINEAR[pixels[at]] + m[1] * LINEAR[pixels[at + 1]] + m[2] * LINEAR[pixels[at + 2]];
}

function mix(values, left, right, share) {
  return values[left] + share * (values[right] - values[left]);
}

/** f(Y) and ab → linear RGB in `linear`; whether sRGB shows it. */
function linearRgb(fy, a, b, linear) {
  const x = fInverse(fy + a / 500);
  const y = fInverse(fy);
  const z = fInverse(Math.max(fy - b / 200, 0));
  let shown = true;
  for (let i = 0; i < 3; i++) {
    const m = RGB_FROM_UNIT_XYZ[i];
    linear[i] = m[0] * x + m[1] * y + m[2] * z;
    if (linear[i] < -DARK_TOLERANCE || linear[i] > 1 + BRIGHT_TOLERANCE) shown = false;
  }
  return shown;
}

/** The same with as much of the chroma as sRGB shows: `clip_chroma` of color/gamut.py. */
function linearInGamut(fy, a, b, linear) {
  if (linearRgb(fy, a, b, linear)) return;
  let share = 0;
  for (let step = 0.5, i = 0; i < BISECTIONS; step /= 2, i++) {
    if (linearRgb(fy, (share + step) * a, (share + step) * b, linear)) share += step;
  }
  linearRgb(fy, share * a, share * b, linear);
}

/** For each of `length` pixels the known one before it, and its share of the way to the next. */
function positions(length, known) {
  const before = new Int32Array(length);
  const share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const place = Math.min(Math.max((i + 0.5) * (known / length) - 0.5, 0), known - 1);
    before[i] = Math.min(Math.floor(place), Math.max(known - 2, 0));
    share[i] = place - before[i];
  }
  return { before, share };
}

/** For each of `newLength` pixels the first old pixel that it is made of, and the weights of those from there on. */
function bicubicWeights(length, newLength) {
  const cubic = (t) => {
    const x = Math.abs(t); // Keys 1981 with a = −1/2
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  };
  const scale = Math.max(length / newLength, 1);
  return Array.from({ length: newLength }, (_, i) => {
    const center = (i + 0.5) * (length / newLength);
    const first = Math.max(Math.floor(center - 2 * scale + 0.5), 0);
    const end = Math.min(Math.floor(center + 2 * scale + 0.5), length);
    const weights = Float64Array.from({ length: end - first }, (_, k) => cubic((first + k + 0.5 - center) / scale));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** The place in 0 … length − 1 that any other mirrors, edges not repeated. */
function mirrored(place, length) {
  const period = Math.max(2 * (length - 1), 1);
  const folded = ((place % period) + period) % period;
  return Math.min(folded, period - folded, length - 1);
}

function blend(from, start, stride, weights, to, at) {
  let r = 0;
  let g = 0;
  let b = 0;
  for (let k = 0, i = start; k < weights.length; k++, i += stride) {
    r += weights[k] * from[i];
    g += weights[k] * from[i + 1];
    b += weights[k] * from[i + 2];
  }
  to[at] = r; // the array rounds and clips
  to[at + 1] = g;
  to[at + 2] = b;
}

/** Mean over the square window around each place of (height, width, channels); at the borders over what there is. */
function boxMean(values, width, height, channels) {
  const columns = meanAlong(values, height, width * channels, width * channels, 1);
  return meanAlong(columns, width, channels, channels, height, width * channels);
}

/** The same in one direction: `count` places a `stride` apart, in each of `span` values of each of `lines` lines. */
function meanAlong(values, count, stride, span, lines, lineStride = 0) {
  const result = new Float32Array(values.length);
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < count; i++) {
      const first = Math.max(i - RADIUS, 0);
      const last = Math.min(i + RADIUS, count - 1);
      const at = line * lineStride + i * stride;
      for (let c = 0; c < span; c++) {
        let sum = 0;
        for (let k = first - i; k <= last - i; k++) sum += values[at + k * stride + c];
        result[at + c] = sum / (last - first + 1);
      }
    }
  }
  return result;
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
