// What the network misses of hints, added to its prediction at their places and around, as keras_colorize/color/hints.py
// does it. `drawn` are the hints (height, width, 3) of `drawnHints`; `facts` are those of the model (model.json).

/**
 * Chroma as hints ask for it. Changes `ab` (height, width, 2), the network's chroma at the frame's size.
 *
 * vividness: by which `ab` is multiplied. Around hints their colours are, too; the hints themselves stay as they are
 * above 1.
 */
export function followHints(ab, drawn, frame, facts, vividness) {
  spreadHints(ab, drawn, frame, facts.hint_spread, vividness);
  obeyHints(ab, drawn, frame.width, frame.height, facts.hint_kernel, Math.min(vividness, 1));
}

/** Takes the error of chroma at the hints off the places that look like them: as `spread_hints`. */
function spreadHints(ab, drawn, { L, width, height }, spread, strength) {
  const { levels, prediction_weight: predictionWeight } = spread;
  const [rows, columns] = [height, width].map((length) => nodeWeights(length, spread));
  const across = columns.length;
  const nodes = new Float64Array(rows.length * across * levels * 3);
  const level = (i) => (Math.min(Math.max(L[i], 0), 100) * (levels - 1)) / 100;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const mask = drawn[3 * i + 2];
      if (!mask) continue;
      const error = [0, 1].map((axis) => drawn[3 * i + axis] * strength - ab[2 * i + axis] * mask);
      const [below, share] = within(level(i), levels);
      for (let row = 0; row < rows.length; row++) {
        for (let column = 0; column < across; column++) {
          const near = rows[row][y] * columns[column][x];
          for (let up = 0; up < 2; up++) {
            const weight = near * (up ? share : 1 - share);
            const at = 3 * ((row * across + column) * levels + below + up);
            nodes[at] += weight * error[0];
            nodes[at + 1] += weight * error[1];
            nodes[at + 2] += weight * mask;
          }
        }
      }
    }
  }
  const line = new Float64Array(across * levels * 3); // the nodes, enlarged to one row of pixels
  for (let y = 0, i = 0; y < height; y++) {
    line.fill(0);
    for (let row = 0; row < rows.length; row++) {
      const weight = rows[row][y];
      const start = row * line.length;
      for (let at = 0; at < line.length; at++) line[at] += weight * nodes[start + at];
    }
    for (let x = 0; x < width; x++, i++) {
      const [below, share] = within(level(i), levels);
      let [a, b, sum] = [0, 0, 0];
      for (let column = 0; column < across; column++) {
        const at = 3 * (column * levels + below);
        const [lower, upper] = [columns[column][x] * (1 - share), columns[column][x] * share];
        a += lower * line[at] + upper * line[at + 3];
        b += lower * line[at + 1] + upper * line[at + 4];
        sum += lower * line[at + 2] + upper * line[at + 5];
      }
      ab[2 * i] += a / (sum + predictionWeight);
      ab[2 * i + 1] += b / (sum + predictionWeight);
    }
  }
}

/** The weights of nodes along a side of so many pixels: an array of pixels for each node. */
function nodeWeights(length, { distance, deviation, scale }) {
  return Array.from({ length: Math.ceil(length / distance) }, (_, node) =>
    Float64Array.from({ length }, (_, pixel) => {
      const away = (pixel - node * distance - (distance - 1) / 2) / deviation;
      return scale * Math.exp(-0.5 * away * away);
    }),
  );
}

/** The level at or below a place among levels, with another one above it, and the share of the way to that one. */
function within(place, levels) {
  const below = Math.min(Math.floor(place), levels - 2);
  return [below, place - below];
}

/** Moves chroma ab (height, width, 2) to the hints where they are, and by a falling part of that in the few pixels around. */
function obeyHints(ab, drawn, width, height, kernel, strength) {
  let errors = new Float32Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    const mask = drawn[3 * i + 2];
    errors[3 * i] = drawn[3 * i] * strength - ab[2 * i] * mask;
    errors[3 * i + 1] = drawn[3 * i + 1] * strength - ab[2 * i + 1] * mask;
    errors[3 * i + 2] = mask;
  }
  errors = smoothed(errors, width, height, kernel, 1, 0);
  errors = smoothed(errors, width, height, kernel, 0, 1);
  for (let i = 0; i < width * height; i++) {
    const weight = Math.max(errors[3 * i + 2], 1);
    ab[2 * i] += errors[3 * i] / weight;
    ab[2 * i + 1] += errors[3 * i + 1] / weight;
  }
}

/** Three channels after a filter along one axis, with zeros outside. */
function smoothed(values, width, height, kernel, right, down) {
  const result = new Float32Array(values.length);
  const reach = (kernel.length - 1) / 2;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      if (!values[i] && !values[i + 1] && !values[i + 2]) continue;
      for (let tap = -reach; tap <= reach; tap++) {
        const [column, row] = [x + tap * right, y + tap * down];
        if (column < 0 || row < 0 || column >= width || row >= height) continue;
        const at = 3 * (row * width + column);
        const weight = kernel[tap + reach]; // the kernel is symmetric
        for (let channel = 0; channel < 3; channel++) result[at + channel] += weight * values[i + channel];
      }
    }
  }
  return result;
}
