// One photo at work: what was computed for it is kept as long as it stays true, so that an edit costs only what it changes.
//
// An edit is {hints: [{x, y, radius, a, b}], vividness, shift}: places and radii in pixels of the photo, a and b in CIE
// units, `shift` of a reference or null.

import { lightness } from "./color.js";
import { decodedChroma, modesOf, sharesAt } from "./distribution.js";
import { coloredPart, guidedLines } from "./finish.js";
import { drawnHints } from "./frame.js";
import { followHints } from "./hints.js";
import { drawnVersion, hintsOf } from "./versions.js";

const THUMBNAIL = 220;

export class Session {
  constructor(photo, network) {
    Object.assign(this, { photo, network, closeUp: null });
    this.asked = { key: null };
    this.decoded = { key: null };
  }

  get facts() {
    return this.network.facts;
  }

  /** What the network says with these hints, as they are `drawn` for it; `mask` is the share of the frame they cover. */
  async answer(hints) {
    const key = JSON.stringify(hints);
    if (this.asked.key !== key) {
      const drawn = hints.length && this.facts.hints ? drawnHints(hints, this.photo.frame) : null;
      const output = await this.network.run(this.photo.frame, drawn);
      let mask = 0;
      if (drawn) for (let at = 2; at < drawn.length; at += 3) mask += drawn[at];
      this.asked = { key, output, drawn, mask: (3 * mask) / (drawn?.length ?? 1) };
    }
    return this.asked;
  }

  /** The lines of the finish for an edit. */
  async lines({ hints, vividness, shift }) {
    const key = JSON.stringify([hints, vividness, shift && [...shift]]);
    if (this.decoded.key !== key) {
      const { output, drawn, mask } = await this.answer(hints);
      const { frame } = this.photo;
      const chroma = this.facts.bins
        ? decodedChroma(output, frame, this.facts, { vividness, mask, shift })
        : output.values.map((value) => value * vividness);
      if (drawn) followHints(chroma, drawn, frame, this.facts, vividness);
      this.decoded = { key, lines: guidedLines(frame, chroma) };
    }
    return this.decoded.lines;
  }

  /** The photo in colour at the screen's size, and the close-up where there is one. */
  async colored(edit) {
    const lines = await this.lines(edit);
    const { screen, width, height, frame } = this.photo;
    const whole = { width: screen.width, height: screen.height, left: 0, top: 0, stepX: width / screen.width, stepY: height / screen.height };
    const result = { pixels: coloredPart(screen.fy, screen.rgba, whole, lines, frame.picture) };
    if (this.closeUp) {
      const { fy, rgba, part } = this.closeUp;
      result.closeUp = coloredPart(fy, rgba, part, lines, frame.picture);
    }
    return result;
  }

  /** L at a place of the photo, from what the screen shows. */
  lightnessAt(x, y) {
    const { screen, width, height } = this.photo;
    const column = Math.min(Math.floor(((x + 0.5) * screen.width) / width), screen.width - 1);
    const row = Math.min(Math.floor(((y + 0.5) * screen.height) / height), screen.height - 1);
    return lightness(screen.fy[row * screen.width + column]);
  }

  /** The likeliest colours at a place, given the other hints: {L, colors: [{a, b, share}]}. */
  async suggestions(x, y, { hints, shift }, count) {
    const { frame } = this.photo;
    const [column, row] = this.inFrame(x, y);
    // As the network sees it: the mean of some pixels, not grain.
    const [nearX, nearY] = [[column, frame.width], [row, frame.height]].map(([place, length]) => Math.min(Math.max(Math.round(place), 0), length - 1));
    const L = frame.L[nearY * frame.width + nearX];
    const { left, top, width, height } = frame.picture;
    const inside = x >= left - 0.5 && y >= top - 0.5 && x <= left + width - 0.5 && y <= top + height - 0.5;
    if (!this.facts.bins || !inside) return { L, colors: [] };
    const { output } = await this.answer(hints);
    const shares = sharesAt(output, this.photo.frame, this.facts, column, row, 1, shift);
    return { L, colors: modesOf(shares, this.facts, L, count) };
  }

  /** Another version of the photo: {groups, likelihood} of versions.js, and a small picture {pixels, width, height}. */
  async version(edit, random, taken) {
    const { groups, likelihood } = await drawnVersion(this, edit, random, taken);
    const lines = await this.lines({ ...edit, hints: [...edit.hints, ...hintsOf(groups)] });
    return { groups, likelihood, ...this.#thumbnail(lines) };
  }

  #thumbnail(lines) {
    const { screen, width, height, frame } = this.photo;
    const step = Math.max(1, Math.ceil(Math.max(screen.width, screen.height) / THUMBNAIL));
    const [columns, rows] = [Math.floor(screen.width / step) || 1, Math.floor(screen.height / step) || 1];
    const fy = new Float32Array(columns * rows);
    const rgba = new Uint8ClampedArray(4 * columns * rows).fill(255);
    for (let y = 0, i = 0; y < rows; y++) for (let x = 0; x < columns; x++, i++) fy[i] = screen.fy[y * step * screen.width + x * step];
    const part = { width: columns, height: rows, left: 0, top: 0, stepX: width / columns, stepY: height / rows };
    return { pixels: coloredPart(fy, rgba, part, lines, frame.picture), width: columns, height: rows };
  }

  /** Column and row of the frame at a place of the photo. */
  inFrame(x, y) {
    const { inner, picture } = this.photo.frame;
    return [
      ((x + 0.5 - picture.left) * inner.width) / picture.width - 0.5 + inner.left,
      ((y + 0.5 - picture.top) * inner.height) / picture.height - 0.5 + inner.top,
    ];
  }
}
