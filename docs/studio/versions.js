// Other versions of a photo: colours drawn from the network's distribution, one after the other, each given those before
// it, so that they fit together. A colour goes to one place and to others that look like it: a dress has one colour.
// The same idea as keras_colorize/inference/versions.py; here what a drawn colour leaves is a few hints that one can edit.

import { modesOf, probabilities, sharesAt, spreads } from "./distribution.js";

const DRAWS = 4;
const SHARPNESS = 1 / 0.7; // likely colours are drawn more often than the network says
const LEAST_SHARE = 0.1; // of the likeliest colour: less likely ones are not drawn
const NEAR = 5; // cells; a place so near to a hint is settled
const SAME_TONE = 15; // in L, standard deviation
const ALIKE = 0.75; // likeness from which on a place gets the same colour
const SPACING = 4; // cells between the hints of one colour
const MOST_HINTS = 4; // of one colour
const RADIUS = 0.015; // of the photo's shorter side
const OTHER_COLOR = 20; // CIE units between the first colours of two versions, where there are so many

/**
 * Draw a version.
 *
 * session: of the photo; random: () → [0, 1); taken: [[a, b], …], the first colours of the versions before.
 * Returns {groups: [{points: [{x, y}], radius, a, b}], likelihood}.
 */
export async function drawnVersion(session, edit, random, taken) {
  const { facts } = session;
  const { frame, width, height } = session.photo;
  const { output: plain } = await session.answer(edit.hints);
  const cells = cellsOf(plain, session);
  const known = normalized(probabilities(plain, facts), facts.bins.length);
  const open = Float64Array.from(cells, (cell) => (cell.inside ? 1 : 0));
  const distance = (one, other) => Math.hypot(one.column - other.column, one.row - other.row);
  for (const hint of edit.hints) {
    const nearest = cells.reduce((best, cell) => (Math.hypot(cell.x - hint.x, cell.y - hint.y) < Math.hypot(best.x - hint.x, best.y - hint.y) ? cell : best));
    cells.forEach((cell, i) => (open[i] *= 1 - nearness(distance(cell, nearest))));
  }

  const groups = [];
  let likelihood = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const { output } = await session.answer([...edit.hints, ...hintsOf(groups)]);
    const unsure = blurred(spreads(probabilities(output, facts), facts), output.width, output.height);
    const best = open.reduce((most, value, i) => (value * unsure[i] > open[most] * unsure[most] ? i : most), 0);
    if (!(open[best] * unsure[best] > 1)) break; // all is settled
    const [column, row] = session.inFrame(cells[best].x, cells[best].y);
    const modes = modesOf(sharesAt(output, frame, facts, column, row, 1, edit.shift), facts, cells[best].L, 6);
    const mode = drawn(modes, random, draw === 0 ? taken : []);
    if (!mode) break;
    likelihood += Math.log(mode.share);

    const likeness = cells.map((cell, i) => (cell.inside ? dot(known, best, i, facts.bins.length) * Math.exp(-(((cell.L - cells[best].L) / SAME_TONE) ** 2) / 2) : 0));
    const members = [cells[best]];
    const order = likeness.map((value, i) => [value, i]).filter(([value, i]) => value > ALIKE && open[i] > 0.5).sort(([one], [other]) => other - one);
    for (const [, i] of order) {
      if (members.length === MOST_HINTS) break;
      if (members.every((member) => distance(member, cells[i]) >= SPACING)) members.push(cells[i]);
    }
    likeness.forEach((value, i) => (open[i] *= (1 - nearness(distance(cells[i], cells[best]))) * (1 - Math.min(value / ALIKE, 1) ** 2)));
    groups.push({ points: members.map(({ x, y }) => ({ x, y })), radius: RADIUS * Math.min(width, height), a: mode.a, b: mode.b });
  }
  return { groups, likelihood };
}

/** Draw one of the likely colours, one that is not taken if there is another. */
function drawn(modes, random, taken) {
  const likely = modes.filter(({ share }) => share >= LEAST_SHARE * modes[0].share);
  const fresh = likely.filter((mode) => taken.every(([a, b]) => Math.hypot(mode.a - a, mode.b - b) > OTHER_COLOR));
  const choices = fresh.length ? fresh : likely;
  const weights = choices.map(({ share }) => share ** SHARPNESS);
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  return choices.find((_, i) => (left -= weights[i]) <= 0) ?? choices[0];
}

/** The cells of the prediction: where they are in the photo, and whether they are in the picture and show a colour. */
function cellsOf(output, session) {
  const { frame } = session.photo;
  const { inner, picture } = frame;
  return Array.from({ length: output.width * output.height }, (_, i) => {
    const [column, row] = [i % output.width, Math.floor(i / output.width)];
    const left = ((column + 0.5) * frame.width) / output.width - inner.left;
    const top = ((row + 0.5) * frame.height) / output.height - inner.top;
    const x = picture.left + (left * picture.width) / inner.width - 0.5;
    const y = picture.top + (top * picture.height) / inner.height - 0.5;
    const inside = left > 0.5 && top > 0.5 && left < inner.width - 0.5 && top < inner.height - 0.5;
    const L = inside ? session.lightnessAt(x, y) : 0;
    return { column, row, x, y, L, inside: inside && L > 8 && L < 97 };
  });
}

const nearness = (cells) => Math.exp(-((cells / NEAR) ** 2) / 2);

/** Each cell's distribution as a vector of length 1. */
function normalized(shares, classes) {
  for (let at = 0; at < shares.length; at += classes) {
    let squares = 0;
    for (let k = at; k < at + classes; k++) squares += shares[k] ** 2;
    for (let k = at; k < at + classes; k++) shares[k] /= Math.sqrt(squares);
  }
  return shares;
}

function dot(vectors, one, other, length) {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += vectors[one * length + k] * vectors[other * length + k];
  return sum;
}

/** The mean over 5 × 5 cells, so that large areas come first. */
function blurred(values, width, height) {
  return values.map((_, i) => {
    let [sum, count] = [0, 0];
    for (let y = Math.max(Math.floor(i / width) - 2, 0); y <= Math.min(Math.floor(i / width) + 2, height - 1); y++) {
      for (let x = Math.max((i % width) - 2, 0); x <= Math.min((i % width) + 2, width - 1); x++, count++) sum += values[y * width + x];
    }
    return sum / count;
  });
}

/** The hints of a version, one by one. */
export function hintsOf(groups) {
  return groups.flatMap(({ points, radius, a, b }) => points.map(({ x, y }) => ({ x, y, radius, a, b })));
}
