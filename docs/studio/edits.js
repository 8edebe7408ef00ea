// The photos of the strip and what was done to each: edits that are never changed but replaced, so that undo is a list.
//
// edit: {marks, vividness, reference, alone}
// mark: {id, points: [{x, y}], radius, color: {a, b} or null}, in pixels of the photo and CIE units; several points are a
//   stroke. A mark without a colour is a place for which a colour is being chosen.

const UNTOUCHED = Object.freeze({ marks: Object.freeze([]), vividness: 1, reference: null, alone: false });

let lastId = 0;

export const newId = () => ++lastId;

/** A photo in the strip, before it is opened. */
export class StripPhoto {
  constructor(file) {
    Object.assign(this, { id: newId(), file, name: file.name || "photo", width: 0, height: 0 });
    Object.assign(this, { status: "waiting", error: "", thumbnail: null, colourful: false });
    this.edit = UNTOUCHED;
    this.settled = UNTOUCHED; // before what is being dragged
    this.past = [];
    this.future = [];
  }

  get stem() {
    return this.name.replace(/\.[^.]*$/, "") || "photo";
  }

  /** The edit as the worker takes it; `without`: the id of a mark to leave out. */
  forWorker(without) {
    const marks = this.edit.marks.filter(({ id, color }) => color && id !== without);
    const hints = marks.flatMap(({ points, radius, color }) => points.map(({ x, y }) => ({ x, y, radius, ...color })));
    return { hints, vividness: this.edit.vividness, shift: this.edit.reference?.shift ?? null };
  }

  mark(id) {
    return this.edit.marks.find((mark) => mark.id === id);
  }

  /** Change the edit for now, as while something is dragged; `settle` makes it one step of the history. */
  try(changes) {
    this.edit = Object.freeze({ ...this.edit, ...changes });
  }

  tryMark(id, changes) {
    this.try({ marks: this.edit.marks.map((mark) => (mark.id === id ? { ...mark, ...changes } : mark)) });
  }

  /** Put what was tried into the history; marks that got no colour go. Returns whether anything changed. */
  settle() {
    if (this.edit.marks.some(({ color }) => !color)) this.try({ marks: this.edit.marks.filter(({ color }) => color) });
    if (same(this.edit, this.settled)) {
      this.edit = this.settled;
      return false;
    }
    this.past.push(this.settled);
    this.future = [];
    this.settled = this.edit;
    return true;
  }

  /** Change the edit by one step of the history. */
  do(changes) {
    this.try(changes);
    return this.settle();
  }

  undo() {
    this.#travel(this.past, this.future);
  }

  redo() {
    this.#travel(this.future, this.past);
  }

  #travel(from, to) {
    this.settle();
    if (!from.length) return;
    to.push(this.edit);
    this.edit = this.settled = from.pop();
  }
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

// Hint files: the JSON that keras-colorize colorize reads and writes too.

const KEYS = new Set(["version", "width", "height", "vividness", "hints"]);
const PROPORTION = 0.05; // natural logarithm of two photos of the same proportions
const HINT_KEYS = new Set(["x", "y", "radius", "color"]);

/** The edit of a photo as a hint file. */
export function hintFile({ width, height, edit }) {
  const round = (value) => Math.round(value * 100) / 100;
  const hints = edit.marks.flatMap(({ points, radius, color }) =>
    points.map(({ x, y }) => ({
      x: round(x),
      y: round(y),
      radius: round(radius),
      color: color.a === 0 && color.b === 0 ? "neutral" : [round(color.a), round(color.b)],
    })),
  );
  const lines = hints.map((hint) => `    ${JSON.stringify(hint)}`).join(",\n");
  const list = hints.length ? `[\n${lines}\n  ]` : "[]";
  return `{\n  "version": 1,\n  "width": ${width}, "height": ${height},\n  "vividness": ${round(edit.vividness)},\n  "hints": ${list}\n}\n`;
}

/**
 * Read a hint file for a photo: {marks, vividness}.
 *
 * abOf: a colour in words or "#b22222" → {a, b}, or null. Throws a sentence for the reader.
 */
export function readHintFile(text, photo, abOf) {
  let table;
  try {
    table = JSON.parse(text);
  } catch {
    throw new Error("This is no file of colour hints: it is not JSON.");
  }
  if (!table || !Array.isArray(table.hints)) throw new Error("This is no file of colour hints.");
  if (table.version !== 1) throw new Error(`This file of colour hints has version ${table.version}; the studio reads version 1.`);
  const unknown = [...Object.keys(table).filter((key) => !KEYS.has(key)), ...table.hints.flatMap((hint) => Object.keys(hint).filter((key) => !HINT_KEYS.has(key)))];
  if (unknown.some((key) => key === "frame" || key === "time")) throw new Error("These colour hints are for a film, not for a photo.");
  if (unknown.length) throw new Error(`The file has “${unknown[0]}”, which the studio does not know.`);
  const [width, height] = [table.width ?? photo.width, table.height ?? photo.height];
  const areShares = width === 1 && height === 1;
  if (!areShares && !(Math.abs(Math.log((photo.width * height) / (photo.height * width))) <= PROPORTION)) {
    throw new Error("This photo has other proportions: the file of colour hints belongs to another one.");
  }
  // Places are middles of pixels, where the photo's edge lies half a pixel further out; shares begin at the edge.
  const half = areShares ? 0 : 0.5;
  const scale = Math.min(photo.width, photo.height) / Math.min(width, height);
  const marks = table.hints.map((hint) => {
    const color = Array.isArray(hint.color) ? { a: hint.color[0], b: hint.color[1] } : hint.color === "neutral" ? { a: 0, b: 0 } : abOf(hint.color);
    const [x, y] = [((hint.x + half) * photo.width) / width - 0.5, ((hint.y + half) * photo.height) / height - 0.5];
    const radius = hint.radius === undefined ? usualRadius(photo) : hint.radius * scale;
    if (!color || ![x, y, radius, color.a, color.b].every(Number.isFinite)) throw new Error("A hint of the file has no colour or no place that the studio understands.");
    if (x < -0.5 || y < -0.5 || x > photo.width - 0.5 || y > photo.height - 0.5) throw new Error("A hint lies outside this photo: the file belongs to another one.");
    return { id: newId(), points: [{ x, y }], radius, color };
  });
  return { marks, vividness: Number.isFinite(table.vividness) ? table.vividness : photo.edit.vividness };
}

/** The radius of a new hint: 1.5 % of the photo's shorter side, as in the command. */
export function usualRadius({ width, height }) {
  return Math.max(0.015 * Math.min(width, height), 0.5);
}
