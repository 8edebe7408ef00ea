// The network's distribution over colours: decoded to chroma as keras_colorize/color/spaces.py does it, asked for
// likely colours at a place, and sampled for other versions. `facts` are those of the model (model.json).

import { labOf, shownShare } from "./color.js";

// Of different colours, as `AbBins.modes` of color/bins.py has them: CIE units between two, the share of this distance
// within which probability counts for one, and the least probability of one.
const MODE_DISTANCE = 20;
const MODE_REACH = 0.75;
const LEAST_MODE = 1e-3;

/**
 * Chroma ab (height, width, 2) at the frame's size.
 *
 * logits: {values, width, height} of the network.
 * options: vividness; `mask`, the share of the frame that hints cover; `shift`, logarithms that are added to each class
 * for the palette of a reference, which needs no lift.
 */
export function decodedChroma(logits, frame, facts, { vividness = 1, mask = 0, shift = null }) {
  const { temperature, lift, least_distance: leastDistance, hinted_share: hintedShare } = facts.decoding;
  const inverse = 1 / temperature ** vividness;
  const cells = logits.width * logits.height;
  const classes = facts.bins.length;
  const [a, b] = [0, 1].map((axis) => Float64Array.from(facts.bins, (bin) => bin[axis]));
  const found = new Float32Array(2 * cells);
  let [meanA, meanB, variance] = [0, 0, 0];
  const z = new Float64Array(classes);
  for (let cell = 0, at = 0; cell < cells; cell++) {
    let most = -Infinity;
    for (let k = 0; k < classes; k++, at++) {
      z[k] = logits.values[at] + (shift ? shift[k] : 0);
      if (z[k] > most) most = z[k];
    }
    let [sum, sumA, sumB] = [0, 0, 0]; // of the sharpened distribution
    let [all, allA, allB, squares] = [0, 0, 0, 0]; // of the distribution itself
    for (let k = 0; k < classes; k++) {
      const below = z[k] - most;
      if (below < -16) continue; // less than 1e-7 of the likeliest
      const share = Math.exp(below * inverse);
      sum += share;
      sumA += share * a[k];
      sumB += share * b[k];
      const plain = Math.exp(below);
      all += plain;
      allA += plain * a[k];
      allB += plain * b[k];
      squares += plain * (a[k] * a[k] + b[k] * b[k]);
    }
    found[2 * cell] = sumA / sum;
    found[2 * cell + 1] = sumB / sum;
    meanA += sumA / sum / cells;
    meanB += sumB / sum / cells;
    variance += (squares / all - (allA / all) ** 2 - (allB / all) ** 2) / cells;
  }
  let square = leastDistance ** 2;
  for (let i = 0; i < found.length; i += 2) square += ((found[i] - meanA) ** 2 + (found[i + 1] - meanB) ** 2) / cells;
  const more = shift ? 1 : 1 + (lift * Math.exp(-mask / hintedShare) * variance) / Math.sqrt(square);
  for (let i = 0; i < found.length; i += 2) {
    found[i] = (meanA + (found[i] - meanA) * more) * vividness;
    found[i + 1] = (meanB + (found[i + 1] - meanB) * more) * vividness;
  }
  return enlarged(found, logits.width, logits.height, frame.width, frame.height);
}

/** The probabilities of the classes around a place of the frame, in its pixels: Float64Array (classes), sum 1. */
export function sharesAt(logits, frame, facts, x, y, inverseTemperature = 1, shift = null) {
  const classes = facts.bins.length;
  const total = new Float64Array(classes);
  const column = Math.min(Math.max(((x + 0.5) * logits.width) / frame.width - 0.5, 0), logits.width - 1);
  const row = Math.min(Math.max(((y + 0.5) * logits.height) / frame.height - 0.5, 0), logits.height - 1);
  for (const [cy, wy] of ends(row, logits.height)) {
    for (const [cx, wx] of ends(column, logits.width)) {
      if (wx * wy === 0) continue;
      const at = (cy * logits.width + cx) * classes;
      const z = Float64Array.from({ length: classes }, (_, k) => logits.values[at + k] + (shift ? shift[k] : 0));
      const most = z.reduce((high, value) => Math.max(high, value), -Infinity);
      let sum = 0;
      for (let k = 0; k < classes; k++) sum += z[k] = Math.exp((z[k] - most) * inverseTemperature);
      for (let k = 0; k < classes; k++) total[k] += (wx * wy * z[k]) / sum;
    }
  }
  return total;
}

/**
 * The likeliest different colours of a distribution that sRGB shows at L: [{a, b, share}], likeliest first.
 *
 * The place around which most probability lies comes first. Its colour is the mean of what lies around it, which is then
 * taken away, and the next one is sought further off.
 */
export function modesOf(shares, facts, L, count) {
  const shown = ([a, b]) => {
    const share = shownShare(L, a, b);
    return [share * a, share * b];
  };
  const places = facts.bins.map(shown);
  const distance = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);
  const left = Float64Array.from(shares);
  const free = new Uint8Array(left.length).fill(1);
  const modes = [];
  while (modes.length < count) {
    let best = -1;
    let most = LEAST_MODE;
    for (let k = 0; k < left.length; k++) {
      if (!free[k]) continue;
      let around = 0;
      for (let j = 0; j < left.length; j++) if (left[j] && distance(places[k], places[j]) <= MODE_REACH * MODE_DISTANCE) around += left[j];
      if (around > most) [best, most] = [k, around];
    }
    if (best < 0) break;
    let [a, b] = [0, 0];
    const near = places.map((place) => distance(places[best], place) <= MODE_REACH * MODE_DISTANCE);
    near.forEach((is, j) => {
      if (!is) return;
      a += (left[j] * places[j][0]) / most;
      b += (left[j] * places[j][1]) / most;
      left[j] = 0;
    });
    let color = shown([a, b]);
    if (modes.some((mode) => distance([mode.a, mode.b], color) < MODE_DISTANCE)) color = places[best];
    modes.push({ a: color[0], b: color[1], share: most });
    places.forEach((place, k) => {
      if (distance(place, color) < MODE_DISTANCE) free[k] = 0;
    });
  }
  return modes;
}

/** The probabilities of all cells: Float32Array (cells, classes). */
export function probabilities({ values, width, height }, facts) {
  const classes = facts.bins.length;
  const shares = new Float32Array(values.length);
  for (let cell = 0; cell < width * height; cell++) {
    const at = cell * classes;
    let most = -Infinity;
    for (let k = at; k < at + classes; k++) most = Math.max(most, values[k]);
    let sum = 0;
    for (let k = at; k < at + classes; k++) sum += shares[k] = Math.exp(values[k] - most);
    for (let k = at; k < at + classes; k++) shares[k] /= sum;
  }
  return shares;
}

/** How unsure the network is in each cell: Float64Array (cells), the standard deviation over colours in CIE units. */
export function spreads(shares, facts) {
  const classes = facts.bins.length;
  return Float64Array.from({ length: shares.length / classes }, (_, cell) => {
    let [meanA, meanB, squares] = [0, 0, 0];
    facts.bins.forEach(([a, b], k) => {
      const share = shares[cell * classes + k];
      meanA += share * a;
      meanB += share * b;
      squares += share * (a * a + b * b);
    });
    return Math.sqrt(Math.max(squares - meanA ** 2 - meanB ** 2, 0));
  });
}

/** The share of the photo that the network expects in each class: Float64Array (classes), sum 1. */
export function palette(logits, facts, shift = null, inverseTemperature = 1) {
  const classes = facts.bins.length;
  const cells = logits.width * logits.height;
  const total = new Float64Array(classes);
  const z = new Float64Array(classes);
  for (let cell = 0, at = 0; cell < cells; cell++) {
    let most = -Infinity;
    for (let k = 0; k < classes; k++, at++) {
      z[k] = logits.values[at] + (shift ? shift[k] : 0);
      if (z[k] > most) most = z[k];
    }
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += z[k] = Math.exp(Math.max((z[k] - most) * inverseTemperature, -30));
    for (let k = 0; k < classes; k++) total[k] += z[k] / sum / cells;
  }
  return total;
}

/** The share of the pixels of a photo in each class: Float64Array (classes), sum 1. */
export function classShares(rgba, facts) {
  const total = new Float64Array(facts.bins.length);
  const known = new Map(facts.bins.map(([a, b], k) => [`${a},${b}`, k]));
  let count = 0;
  for (let at = 0; at < rgba.length; at += 4 * 3) {
    const [, a, b] = labOf([rgba[at], rgba[at + 1], rgba[at + 2]]);
    const k = known.get(`${10 * Math.round(a / 10) + 0},${10 * Math.round(b / 10) + 0}`);
    if (k === undefined) continue;
    total[k]++;
    count++;
  }
  return total.map((value) => value / Math.max(count, 1));
}

/**
 * Logarithms to add to each class, so that the photo as a whole gets the palette of a reference, while the network still
 * says where each colour belongs. `target`: shares of the classes in the reference, sum 1.
 */
export function shiftTowards(target, logits, facts, rounds = 5) {
  const classes = facts.bins.length;
  const floor = 1e-4;
  const shift = new Float64Array(classes);
  const sharpness = 1 / facts.decoding.temperature;
  for (let round = 0; round < rounds; round++) {
    const now = palette(logits, facts, shift, sharpness);
    for (let k = 0; k < classes; k++) {
      const step = 0.5 * Math.log((target[k] + floor) / (now[k] + floor));
      shift[k] = Math.min(Math.max(shift[k] + step, -4), 4); // no colour where the network excludes it
    }
  }
  return shift;
}

/** Bilinear, with pixel centres aligned: (rows, columns, 2) → (height, width, 2). */
function enlarged(values, columns, rows, width, height) {
  if (columns === width && rows === height) return values;
  const result = new Float32Array(2 * width * height);
  const across = Array.from({ length: width }, (_, x) => between(((x + 0.5) * columns) / width - 0.5, columns));
  for (let y = 0, at = 0; y < height; y++) {
    const [above, below, down] = between(((y + 0.5) * rows) / height - 0.5, rows);
    for (let x = 0; x < width; x++) {
      const [left, right, share] = across[x];
      for (let c = 0; c < 2; c++, at++) {
        const upper = mix(values[2 * (above * columns + left) + c], values[2 * (above * columns + right) + c], share);
        const lower = mix(values[2 * (below * columns + left) + c], values[2 * (below * columns + right) + c], share);
        result[at] = mix(upper, lower, down);
      }
    }
  }
  return result;
}

function between(place, length) {
  const inside = Math.min(Math.max(place, 0), length - 1);
  const before = Math.min(Math.floor(inside), Math.max(length - 2, 0));
  return [before, Math.min(before + 1, length - 1), inside - before];
}

function ends(place, length) {
  const [before, after, share] = between(place, length);
  return [[before, 1 - share], [after, share]];
}

const mix = (from, to, share) => from + share * (to - from);
