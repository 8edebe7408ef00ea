// The frame: a photo of any size as the network sees it, as keras_colorize/inference/frame.py, border.py and hints.py
// make it. A `source` is {width, height, read(x, y, width, height) → rgba}: no whole photo needs to be in memory.

import { lightness, lightnessOf } from "./color.js";

const LONGEST_ASPECT = 4; // a longer panorama is made smaller than in training
const REDUCING_GAP = 2; // whole pixels are averaged down to this multiple of the wanted size; the bicubic filter does the rest
const STRIP_PIXELS = 1 << 20;

// Of hints, as in inference/hints.py: pixels on the edge of a disc belong to it, and of two equally near the first counts.
const DISC_EDGE = 1 + 1e-4;
const NEAREST_EDGE = 0.5 + 1e-4;

/**
 * Leave out a photo's plain border, scale the picture in it and pad it for the network.
 *
 * facts: of the model. Returns L (height, width) of the padded frame; `inner`: where the picture lies in it;
 * `picture`: where it lies in the photo. All rectangles are {left, top, width, height}.
 */
export function frameOf(source, facts) {
  const { size, multiple } = facts;
  const picture = findBorder(source);
  const short = Math.min(picture.width, picture.height);
  const long = Math.max(picture.width, picture.height);
  const scale = multiple ? Math.min(size / short, (LONGEST_ASPECT * size) / long) : size / long;
  const [columns, rows] = [picture.width, picture.height].map((length) => Math.max(1, halfToEven(length * scale)));
  const [width, height] = [columns, rows].map((length) => (multiple ? Math.ceil(length / multiple) * multiple : size));
  const [left, top] = [(width - columns) >> 1, (height - rows) >> 1];

  const small = lightnessOf(resized(source, picture, columns, rows)).map(lightness);
  const L = new Float32Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    const from = mirrored(y - top, rows) * columns;
    for (let x = 0; x < width; x++, at++) L[at] = small[from + mirrored(x - left, columns)];
  }
  return { L, width, height, inner: { left, top, width: columns, height: rows }, picture };
}

/**
 * Draw hints {x, y, radius, a, b}, in pixels of the photo, into a frame: Float32Array (height, width, 3) of a, b and mask.
 * Each covers the pixels whose middles lie in its disc, and at least the nearest one; where hints overlap, the mean counts.
 */
export function drawnHints(hints, { width, height, inner, picture }) {
  const drawn = new Float32Array(width * height * 3);
  const scale = [inner.width / picture.width, inner.height / picture.height];
  for (const { x, y, radius, a, b } of hints) {
    if (!lies(x, picture.left, picture.width) || !lies(y, picture.top, picture.height)) continue;
    const middleX = (x + 0.5 - picture.left) * scale[0] - 0.5 + inner.left;
    const middleY = (y + 0.5 - picture.top) * scale[1] - 0.5 + inner.top;
    const [radiusX, radiusY] = scale.map((factor) => Math.max(radius * factor, 1e-6));
    const nearest = nearestTo(middleY, height) * width + nearestTo(middleX, width);
    const add = (place) => {
      drawn[3 * place] += a;
      drawn[3 * place + 1] += b;
      drawn[3 * place + 2] += 1;
    };
    add(nearest);
    const lastRow = Math.min(Math.ceil(middleY + radiusY), height - 1);
    const lastColumn = Math.min(Math.ceil(middleX + radiusX), width - 1);
    for (let row = Math.max(Math.floor(middleY - radiusY), 0); row <= lastRow; row++) {
      for (let column = Math.max(Math.floor(middleX - radiusX), 0); column <= lastColumn; column++) {
        const place = row * width + column;
        const inside = ((row - middleY) / radiusY) ** 2 + ((column - middleX) / radiusX) ** 2 <= DISC_EDGE;
        if (inside && place !== nearest) add(place);
      }
    }
  }
  for (let at = 0; at < drawn.length; at += 3) {
    if (drawn[at + 2] > 1) {
      drawn[at] /= drawn[at + 2];
      drawn[at + 1] /= drawn[at + 2];
      drawn[at + 2] = 1;
    }
  }
  return drawn;
}

/** The picture scaled with antialiasing: rgba (rows, columns). Whole blocks are averaged first, then bicubic, as Pillow does. */
function resized(source, picture, columns, rows) {
  const factorX = Math.max(1, Math.floor(picture.width / (REDUCING_GAP * columns)));
  const factorY = Math.max(1, Math.floor(picture.height / (REDUCING_GAP * rows)));
  const reduced = reducedBy(source, picture, factorX, factorY);
  const across = bicubicWeights(picture.width / factorX, columns, reduced.width);
  const down = bicubicWeights(picture.height / factorY, rows, reduced.height);
  const narrow = new Uint8ClampedArray(columns * reduced.height * 4);
  const small = new Uint8ClampedArray(columns * rows * 4);
  for (let y = 0, at = 0; y < reduced.height; y++) {
    for (let x = 0; x < columns; x++, at += 4) {
      blend(reduced.rgba, 4 * (y * reduced.width + across[x].first), 4, across[x].weights, narrow, at);
    }
  }
  for (let y = 0, at = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, at += 4) {
      blend(narrow, 4 * (down[y].first * columns + x), 4 * columns, down[y].weights, small, at);
    }
  }
  return small;
}

/** Mean of each block of pixels, rounded; blocks at the right and at the bottom may be smaller. */
function reducedBy(source, picture, factorX, factorY) {
  const width = Math.ceil(picture.width / factorX);
  const height = Math.ceil(picture.height / factorY);
  const rgba = new Uint8ClampedArray(width * height * 4);
  const rowsAtOnce = Math.max(1, Math.floor(STRIP_PIXELS / (picture.width * factorY))) * factorY;
  const sums = new Uint32Array(width * 3);
  for (let top = 0; top < picture.height; top += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, picture.height - top);
    const strip = source.read(picture.left, picture.top + top, picture.width, count);
    for (let first = 0; first < count; first += factorY) {
      const rows = Math.min(factorY, count - first);
      sums.fill(0);
      for (let y = first; y < first + rows; y++) {
        let at = 4 * y * picture.width;
        for (let x = 0, to = 0; x < width; x++, to += 3) {
          const end = at + 4 * Math.min(factorX, picture.width - x * factorX);
          let [r, g, b] = [0, 0, 0];
          for (; at < end; at += 4) {
            r += strip[at];
            g += strip[at + 1];
            b += strip[at + 2];
          }
          sums[to] += r;
          sums[to + 1] += g;
          sums[to + 2] += b;
        }
      }
      let out = (4 * width * (top + first)) / factorY;
      for (let x = 0, from = 0; x < width; x++, from += 3, out += 4) {
        const pixels = rows * Math.min(factorX, picture.width - x * factorX);
        for (let c = 0; c < 3; c++) rgba[out + c] = Math.floor(sums[from + c] / pixels + 0.5);
      }
    }
  }
  return { rgba, width, height };
}

/** For each of `newLength` pixels the first old pixel that it is made of, and the weights of those from there on. */
function bicubicWeights(length, newLength, known) {
  const cubic = (t) => {
    const x = Math.abs(t); // Keys 1981 with a = −1/2
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  };
  const scale = Math.max(length / newLength, 1);
  return Array.from({ length: newLength }, (_, i) => {
    const center = (i + 0.5) * (length / newLength);
    const first = Math.max(Math.floor(center - 2 * scale + 0.5), 0);
    const end = Math.min(Math.floor(center + 2 * scale + 0.5), known);
    const weights = Float64Array.from({ length: end - first }, (_, k) => cubic((first + k + 0.5 - center) / scale));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
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

// Plain borders of scanned photos: white, black or paper. The values are those of inference/border.py.

const PLAIN = 20;
const SAME_TONE = 10;
const STEP = 14;
const STEP_SHARE = 0.5;
const BLACK = 40;
const PAPER = 165;
const WIDEST = 0.25;
const SAMPLES = 512;
const SMALLEST_SIDE = 24;

/** The rectangle of the picture inside a plain border; the whole photo where there is none. */
function findBorder({ width, height, read }) {
  const whole = { left: 0, top: 0, width, height };
  if (Math.min(width, height) < SMALLEST_SIDE) return whole;
  const across = Math.max(1, Math.floor(width / SAMPLES));
  const [top, bottom] = pair(
    height,
    (count) => linesOf(read(0, 0, width, count), count, width, 4 * width, 4, across),
    (count) => linesOf(read(0, height - count, width, count), count, width, 4 * width, 4, across).reverse(),
  );
  const inner = height - top - bottom;
  const down = Math.max(1, Math.floor(inner / SAMPLES));
  const [left, right] = pair(
    width,
    (count) => linesOf(read(0, top, count, inner), count, inner, 4, 4 * count, down),
    (count) => linesOf(read(width - count, top, count, inner), count, inner, 4, 4 * count, down).reverse(),
  );
  return { left, top, width: width - left - right, height: inner };
}

function pair(length, ...readers) {
  const widths = readers.map((lines) => widthOfBorder(length, lines));
  return Math.min(...widths) > 0 ? widths : [0, 0];
}

/** Grey levels of the first lines: arrays of every `step`th pixel. */
function linesOf(rgba, count, length, stride, pixel, step) {
  return Array.from({ length: count }, (_, line) => {
    const levels = new Float64Array(Math.ceil(length / step));
    for (let i = 0, at = line * stride; i < levels.length; i++, at += pixel * step) {
      levels[i] = (rgba[at] + rgba[at + 1] + rgba[at + 2]) / 3;
    }
    return levels;
  });
}

function widthOfBorder(length, lines) {
  const limit = Math.floor(length * WIDEST);
  let known;
  let width;
  for (let count = 1; ; count = Math.min(4 * count, limit + 3)) {
    known = lines(Math.min(count, length));
    const spread = known.map((levels) => percentiles(levels, [2, 50, 98]));
    const tone = spread[0][1];
    if (!(tone < BLACK || tone > PAPER)) return 0;
    const end = spread.findIndex(([low, middle, high]) => high - low > PLAIN || Math.abs(middle - tone) > SAME_TONE);
    width = end < 0 ? known.length : end;
    if (width === 0) return 0;
    if (width + 1 < count || count >= limit + 3) {
      if (width > limit) return 0;
      // The line between may be a mixture of both, and sharpening or JPEG may have left a halo.
      const after = known[Math.min(width + 1, known.length - 1)];
      const stepped = after.reduce((total, level) => total + (Math.abs(level - tone) > STEP ? 1 : 0), 0);
      return stepped / after.length < STEP_SHARE ? 0 : width + 1;
    }
  }
}

function percentiles(values, shares) {
  const sorted = values.slice().sort();
  return shares.map((share) => {
    const place = (share / 100) * (sorted.length - 1);
    const before = Math.floor(place);
    return sorted[before] + (place - before) * ((sorted[before + 1] ?? sorted[before]) - sorted[before]);
  });
}

/** Python's `round`. */
function halfToEven(value) {
  const nearest = Math.round(value);
  return Math.abs(value % 1) === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

/** The place in 0 … length − 1 that any other mirrors, edges not repeated. */
function mirrored(place, length) {
  const period = Math.max(2 * (length - 1), 1);
  const folded = ((place % period) + period) % period;
  return Math.min(folded, period - folded, length - 1);
}

const lies = (place, start, length) => start - 0.5 <= place && place <= start + length - 0.5;
const nearestTo = (place, length) => Math.min(Math.max(Math.ceil(place - NEAREST_EDGE), 0), length - 1);
