// The hints on the photo: a ring for each, which can be moved, opened and deleted by mouse, finger and keys.

import { hexOf } from "./color.js";
import { nameOf } from "./names.js";

const CLICK = 5;
const SVG = "http://www.w3.org/2000/svg";

export class Marks {
  #layer;
  #strokes;
  #view;
  #does;
  #photo = null;
  #chosen = null;

  /** does: {open(id), move(id, dx, dy), moved(), remove(id), lightness(place)} */
  constructor(layer, strokes, view, does) {
    [this.#layer, this.#strokes, this.#view, this.#does] = [layer, strokes, view, does];
  }

  /** Show the marks of a photo; `chosen` is the id of the one that is being edited. */
  show(photo, chosen) {
    [this.#photo, this.#chosen] = [photo, chosen];
    const marks = photo && !photo.edit.alone ? photo.edit.marks : [];
    const known = new Map([...this.#layer.children].map((element) => [Number(element.dataset.mark), element]));
    marks.forEach((mark, i) => {
      const element = known.get(mark.id) ?? this.#made(mark.id);
      known.delete(mark.id);
      if (this.#layer.children[i] !== element) this.#layer.insertBefore(element, this.#layer.children[i] ?? null);
      const L = this.#does.lightness(mark.points[0]);
      const { color } = mark;
      element.style.setProperty("--color", color ? hexOf(Math.min(Math.max(L, 30), 85), color.a, color.b) : "transparent");
      element.classList.toggle("chosen", mark.id === chosen);
      element.classList.toggle("empty", !color);
      element.setAttribute("aria-label", `${mark.points.length > 1 ? "Stroke" : "Colour"} ${i + 1}: ${color ? nameOf(L, color.a, color.b) : "none yet"}`);
    });
    for (const element of known.values()) element.remove();
    this.follow();
  }

  /** Put the marks where they belong after the photo has moved. */
  follow() {
    const marks = this.#photo && !this.#photo.edit.alone ? this.#photo.edit.marks : [];
    this.#strokes.replaceChildren();
    for (const [i, mark] of marks.entries()) {
      const element = this.#layer.children[i];
      if (!element) continue;
      const { x, y } = this.#view.onStage(handleOf(mark));
      element.style.transform = `translate(${x}px, ${y}px)`;
      element.style.setProperty("--size", `${Math.max(2 * mark.radius * this.#view.scale, 0)}px`);
      if (mark.points.length > 1 && mark.id === this.#chosen) this.#strokes.append(...this.#drawn(mark));
    }
  }

  focus(id) {
    this.#layer.querySelector(`[data-mark="${id}"]`)?.focus({ preventScroll: true });
  }

  /** The line of a stroke; the places of a colour of a version, which are apart. */
  #drawn({ points, radius, version }) {
    const width = Math.max(2 * radius * this.#view.scale, 2);
    const places = points.map((point) => Object.values(this.#view.onStage(point)).join(","));
    return (version ? places.map((place) => `${place} ${place}`) : [places.join(" ")]).map((line) => {
      const polyline = document.createElementNS(SVG, "polyline");
      polyline.setAttribute("points", line);
      polyline.setAttribute("stroke-width", version ? Math.max(width, 8) : width);
      return polyline;
    });
  }

  #made(id) {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "mark";
    element.dataset.mark = id;
    let from = null;
    let moved = false;
    let pressed = false;
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      pressed = true;
      element.setPointerCapture(event.pointerId);
      [from, moved] = [{ x: event.clientX, y: event.clientY }, false];
    });
    element.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!moved && Math.hypot(dx, dy) < CLICK) return;
      moved = true;
      from = { x: event.clientX, y: event.clientY };
      this.#does.move(id, dx / this.#view.scale, dy / this.#view.scale);
    });
    element.addEventListener("pointerup", () => {
      if (from && moved) this.#does.moved();
      from = null;
    });
    element.addEventListener("pointercancel", () => (from = null));
    // A click also comes from Enter, from Space and from a screen reader. One that began elsewhere is the end of the tap
    // that made this mark under the finger.
    element.addEventListener("click", (event) => {
      if (!moved && (pressed || event.detail === 0)) this.#does.open(id);
      moved = pressed = false;
    });
    element.addEventListener("keydown", (event) => {
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key === "Delete" || event.key === "Backspace") this.#does.remove(id);
      else if (arrows[event.key]) {
        const step = (event.shiftKey ? 40 : 8) / this.#view.scale;
        this.#does.move(id, step * arrows[event.key][0], step * arrows[event.key][1]);
        this.#does.moved();
      } else return;
      event.preventDefault();
    });
    element.addEventListener("wheel", (event) => {
      // On a mark the wheel changes its size, as the slider does.
      event.preventDefault();
      this.#does.resize(id, Math.exp(-event.deltaY * 0.0016));
    }, { passive: false });
    return element;
  }
}

/** Where a mark is taken: the middle of a stroke, the first place of a version's colour. */
export function handleOf({ points, version }) {
  return points[version ? 0 : points.length >> 1];
}
