// The finish: from chroma at the frame's size to coloured pixels at any other, as keras_colorize/inference/finish.py does it.

import { lightness, writeColor } from "./color.js";

// Of the windows, in pixels and squared units of L at the frame's size.
const RADIUS = 1;
const EPSILON = 50;

/**
 * Chroma as a linear function of lightness around each place: the mean slope of the windows over it, through its own
 * L and ab. See `guided_coefficients` of inference/finish.py. Only the picture inside the frame is returned.
 *
 * frame: of `frameOf`; ab: Float32Array (height, width, 2).
 * Returns {width, height, values}: Float32Array (height, width, 4), slopes of a and b, then offsets.
 */
export function guidedLines({ L, width, height, inner }, ab) {
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
  const values = new Float32Array(inner.width * inner.height * 4);
  for (let y = 0, at = 0; y < inner.height; y++) {
    for (let x = 0; x < inner.width; x++, at += 4) {
      const i = (inner.top + y) * width + inner.left + x;
      for (let c = 0; c < 2; c++) {
        values[at + c] = slope[2 * i + c];
        values[at + 2 + c] = ab[2 * i + c] - slope[2 * i + c] * L[i];
      }
    }
  }
  return { width: inner.width, height: inner.height, values };
}

/**
 * Colour a part of a photo at any scale.
 *
 * fy: of its pixels (color.js); rgba: its pixels, of which only alpha is taken.
 * part: {width, height, left, top, stepX, stepY}: pixel (x, y) has its middle at left + (x + ½)·stepX, top + (y + ½)·stepY in
 *   pixels of the photo, from its top left corner.
 * lines: of `guidedLines`; picture: where they lie in the photo. A border around it becomes neutral.
 */
export function coloredPart(fy, rgba, part, lines, picture) {
  const { width, height } = part;
  const out = new Uint8ClampedArray(width * height * 4);
  const across = positions(width, part.left, part.stepX, picture.left, picture.width, lines.width);
  const down = positions(height, part.top, part.stepY, picture.top, picture.height, lines.height);
  const row = new Float32Array(4 * lines.width);
  for (let y = 0, i = 0; y < height; y++) {
    const inRow = down.inside[y];
    const above = 4 * lines.width * down.before[y];
    const below = 4 * lines.width * Math.min(down.before[y] + 1, lines.height - 1);
    const share = down.share[y];
    for (let k = 0; k < row.length; k++) {
      row[k] = lines.values[above + k] + share * (lines.values[below + k] - lines.values[above + k]);
    }
    for (let x = 0; x < width; x++, i++) {
      let a = 0;
      let b = 0;
      if (inRow && across.inside[x]) {
        const left = 4 * across.before[x];
        const right = 4 * Math.min(across.before[x] + 1, lines.width - 1);
        const s = across.share[x];
        const L = lightness(fy[i]);
        a = (row[left] + s * (row[right] - row[left])) * L + row[left + 2] + s * (row[right + 2] - row[left + 2]);
        b = (row[left + 1] + s * (row[right + 1] - row[left + 1])) * L + row[left + 3] + s * (row[right + 3] - row[left + 3]);
      }
      writeColor(out, 4 * i, fy[i], a, b);
      out[4 * i + 3] = rgba[4 * i + 3];
    }
  }
  return out;
}

/** For each pixel the known place before its own, its share of the way to the next, and whether it is in the picture. */
function positions(length, start, step, pictureStart, pictureLength, known) {
  const before = new Int32Array(length);
  const share = new Float32Array(length);
  const inside = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const middle = start + (i + 0.5) * step - pictureStart;
    const place = Math.min(Math.max((middle * known) / pictureLength - 0.5, 0), known - 1);
    before[i] = Math.min(Math.floor(place), Math.max(known - 2, 0));
    share[i] = place - before[i];
    inside[i] = middle >= 0 && middle <= pictureLength ? 1 : 0;
  }
  return { before, share, inside };
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
