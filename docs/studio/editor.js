// Editing the colours of the photo on the stage: places that were clicked, strokes, and the popover between them.

import { labOf } from "./color.js";
import { say } from "./controls.js";
import { newId, usualRadius } from "./edits.js";
import { Gestures } from "./gestures.js";
import { Marks, handleOf } from "./marks.js";
import { Popover } from "./popover.js";

const SUGGESTIONS = 6;

const element = (id) => document.getElementById(id);

export class Editor {
  tool = "pick";
  enabled = false; // the model takes hints
  #view;
  #does;
  #photo = null;
  #stroke = null; // the mark that is being painted
  #dropping = false; // the next click takes a colour from the photo

  /** does: {changed(), settled(), ask(what, details), askNewest(what, details)} */
  constructor(view, does) {
    [this.#view, this.#does] = [view, does];
    this.popover = new Popover({
      color: (color) => this.#color(color),
      radius: (radius) => this.#change({ radius }),
      remove: () => this.remove(this.popover.id),
      drop: () => this.#drop(true),
      close: () => this.close(),
    });
    this.marks = new Marks(element("marks"), element("strokes"), view, {
      open: (id) => this.open(id),
      move: (id, dx, dy) => this.#move(id, dx, dy),
      moved: () => this.#settleUnlessOpen(),
      remove: (id) => this.remove(id),
      resize: (id, factor) => this.#resize(id, factor),
      lightness: (place) => this.#lightnessAt(place),
    });
    this.gestures = new Gestures(view, element("view"), element("cross"), {
      tool: () => (this.#dropping ? "pick" : this.tool),
      size: () => this.#photo,
      place: (place, how) => this.#place(place, how),
      outside: () => this.close(),
      strokeStart: (place) => this.#strokeStart(place),
      strokeOn: (place) => this.#strokeOn(place),
      strokeEnd: (cancelled) => this.#strokeEnd(cancelled),
      say,
    });
    for (const button of document.querySelectorAll("[data-tool]")) {
      button.addEventListener("click", () => this.choose(button.dataset.tool));
    }
    element("tool-group").addEventListener("keydown", (event) => {
      if (!/^Arrow/.test(event.key)) return;
      this.choose(this.tool === "pick" ? "brush" : "pick");
      element("tool-group").querySelector("[aria-checked=true]").focus();
      event.preventDefault();
    });
  }

  /** Take a tool: "pick" or "brush". */
  choose(tool) {
    this.tool = tool;
    this.close();
    for (const button of document.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-checked", button.dataset.tool === tool);
      button.tabIndex = button.dataset.tool === tool ? 0 : -1;
    }
    element("view").classList.toggle("brush", tool === "brush");
    this.#showBrush();
  }

  /** Work on a photo that is on the stage, or on none. */
  take(photo) {
    this.#photo = photo;
    this.gestures.reset();
    this.refresh();
  }

  /** Show the marks as they are now. */
  refresh() {
    this.marks.show(this.#photo, this.popover.id);
    if (this.popover.isOpen) {
      const mark = this.#photo?.mark(this.popover.id);
      if (mark) this.popover.show(mark);
      else this.popover.hide();
    }
    this.#showBrush();
  }

  /** The photo has moved on the screen. */
  follow() {
    this.marks.follow();
    this.gestures.follow();
    if (this.popover.isOpen) this.#placePopover();
  }

  /** Close the popover: what was chosen becomes one step of the history. */
  close() {
    this.#drop(false);
    if (!this.popover.isOpen) return;
    const id = this.popover.id;
    this.popover.remember();
    const inside = element("popover").contains(document.activeElement);
    this.popover.hide();
    this.#does.settled();
    this.refresh();
    if (inside) {
      if (this.#photo?.mark(id)) this.marks.focus(id);
      else element("view").focus({ preventScroll: true });
    }
  }

  /** Open the popover for a mark. */
  async open(id, how = "keyboard") {
    if (this.popover.id === id) return this.close();
    this.close();
    const [photo, mark] = [this.#photo, this.#photo.mark(id)];
    const place = mark.points[0];
    this.popover.open(mark, this.#lightnessAt(place), usualRadius(photo));
    this.marks.show(photo, id);
    this.#placePopover();
    const answer = await this.#does
      .askNewest("suggest", { ...place, edit: photo.forWorker(id), count: SUGGESTIONS })
      .catch(() => ({ colors: [] }));
    if (!answer || this.popover.id !== id) return;
    this.popover.suggest(answer.colors, how === "keyboard" || how === "mouse");
    this.#placePopover();
    say(`${answer.colors.length} likely colours`);
  }

  remove(id) {
    this.#photo.try({ marks: this.#photo.edit.marks.filter((mark) => mark.id !== id) });
    if (this.popover.id === id) this.popover.hide();
    this.#does.settled();
    this.refresh();
    this.#does.changed();
    element("view").focus({ preventScroll: true });
    say("Removed");
  }

  #place(place, how) {
    if (!this.#photo || this.#photo.edit.alone) return;
    if (this.#dropping) return this.#take(place);
    if (!this.enabled) return say("This model takes no colour hints.");
    this.close();
    const mark = { id: newId(), points: [place], radius: usualRadius(this.#photo), color: null };
    this.#photo.try({ marks: [...this.#photo.edit.marks, mark] });
    this.refresh();
    this.open(mark.id, how);
  }

  #color(color) {
    this.#change({ color });
    this.#showBrush();
  }

  #change(changes) {
    this.#photo.tryMark(this.popover.id, changes);
    this.refresh();
    this.#does.changed();
  }

  #resize(id, factor) {
    const usual = usualRadius(this.#photo);
    const radius = Math.min(Math.max(this.#photo.mark(id).radius * factor, usual / 8), 8 * usual);
    this.#photo.tryMark(id, { radius });
    this.#settleUnlessOpen();
    this.#does.changed();
  }

  #move(id, dx, dy) {
    const { points } = this.#photo.mark(id);
    const moved = points.map(({ x, y }) => ({ x: x + dx, y: y + dy }));
    if (!moved.every(({ x, y }) => this.#view.contains(x, y))) return;
    this.#photo.tryMark(id, { points: moved });
    this.refresh();
    if (this.popover.id === id) this.#placePopover();
    this.#does.changed();
  }

  #settleUnlessOpen() {
    if (!this.popover.isOpen) this.#does.settled();
    this.refresh();
  }

  // The eyedropper: the colour of another place of the photo, for the mark that is open.

  #drop(on) {
    this.#dropping = on;
    element("dropper").setAttribute("aria-pressed", on);
    element("view").classList.toggle("dropping", on);
    if (on) say("Click in the photo, or use the arrow keys and Enter, where the colour is right.");
    if (on && matchMedia("(max-width: 52rem)").matches) element("popover").classList.add("away");
    else element("popover").classList.remove("away");
    if (on) element("view").focus({ preventScroll: true });
  }

  #take(place) {
    this.#drop(false);
    const [, a, b] = labOf(this.#view.levelsAt(place));
    this.#color({ a, b });
    element("dropper").focus({ preventScroll: true });
  }

  // Strokes: a row of hints of one colour.

  #strokeStart(place) {
    if (!this.enabled || this.#photo?.edit.alone) return false;
    this.close();
    this.#stroke = { id: newId(), points: [place], radius: usualRadius(this.#photo), color: this.popover.lastColor };
    this.#photo.try({ marks: [...this.#photo.edit.marks, this.#stroke] });
    this.refresh();
    if (this.#stroke.color) this.#does.changed();
    return true;
  }

  #strokeOn(place) {
    const last = this.#stroke.points.at(-1);
    const steps = Math.floor(Math.hypot(place.x - last.x, place.y - last.y) / (1.5 * this.#stroke.radius));
    if (!steps) return;
    // A fast hand moves far between two events: the points between are filled in.
    const between = Array.from({ length: steps }, (_, i) => {
      const share = (i + 1) / steps;
      return { x: last.x + share * (place.x - last.x), y: last.y + share * (place.y - last.y) };
    });
    this.#stroke = { ...this.#stroke, points: [...this.#stroke.points, ...between] };
    this.#photo.tryMark(this.#stroke.id, { points: this.#stroke.points });
    this.refresh();
    if (this.#stroke.color) this.#does.changed();
  }

  #strokeEnd(cancelled) {
    const { id, color } = this.#stroke;
    this.#stroke = null;
    if (cancelled) return this.remove(id);
    if (color) this.#settleUnlessOpen();
    else this.open(id, "mouse"); // no colour was used yet: choose one
  }

  #showBrush() {
    const color = this.popover.lastColor;
    element("brush-color").style.background = color ? cssColor(color) : "";
  }

  #lightnessAt(place) {
    return labOf(this.#view.levelsAt(place))[0];
  }

  #placePopover() {
    const mark = this.#photo.mark(this.popover.id);
    const { x, y } = this.#view.onStage(handleOf(mark));
    const box = element("stage").getBoundingClientRect();
    this.popover.place(box.left + x, box.top + y);
  }
}

const cssColor = ({ a, b }) => `lab(65% ${a} ${b})`;
