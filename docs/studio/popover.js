// The popover at a hint: likely colours, those used last, a picker that stays in the gamut, and what else one can do there.

import { hexOf, strongest } from "./color.js";
import { nameOf } from "./names.js";

const RECENT = "colorize-studio-recent";
const KEPT = 8;
const NARROW = "(max-width: 52rem)";
const GAP = 18; // pixels between a mark and the popover
const TOP = 62; // below the bar

const element = (id) => document.getElementById(id);

export class Popover {
  #box = element("popover");
  #does;
  #L = 50;
  #usual = 1;
  #recent = recentColors();

  id = null; // of the mark that is edited

  /** does: {color({a, b}), radius(value), remove(), drop(), close(), changed()} */
  constructor(does) {
    this.#does = does;
    for (const id of ["hue", "strength"]) {
      element(id).addEventListener("input", () => this.#mix());
      element(id).addEventListener("change", () => this.remember());
    }
    element("radius").addEventListener("input", () => does.radius(this.#usual * 2 ** element("radius").value));
    element("neutral").addEventListener("click", () => this.#choose({ a: 0, b: 0 }));
    element("dropper").addEventListener("click", () => does.drop());
    element("delete").addEventListener("click", () => does.remove());
    element("popover-close").addEventListener("click", () => does.close());
    this.#box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") does.close();
      const swatches = event.target.closest(".swatches")?.children;
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (swatches && step) {
        const list = [...swatches];
        list[(list.indexOf(event.target) + step + list.length) % list.length].focus();
        event.preventDefault();
      }
    });
  }

  get isOpen() {
    return this.id !== null;
  }

  get lastColor() {
    return this.#recent[0] ?? null;
  }

  /** Open for a mark. L: lightness at its place; usual: the radius of a new hint. */
  open(mark, L, usual) {
    [this.id, this.#L, this.#usual] = [mark.id, L, usual];
    element("popover-title").textContent = mark.points.length > 1 ? "Colour of this stroke" : "Colour here";
    element("suggestions").replaceChildren(...Array.from({ length: 5 }, () => placeholder()));
    element("suggested").hidden = false;
    this.#showRecent(mark.color);
    this.show(mark);
    this.#box.hidden = false;
  }

  /** Fill in the likely colours. */
  suggest(colors, focus) {
    const total = colors.reduce((sum, { share }) => sum + share, 0);
    element("suggested").hidden = !colors.length;
    element("suggestions").replaceChildren(
      ...colors.map((color) => this.#swatch(color, `${nameOf(this.#L, color.a, color.b)}, ${Math.max(1, Math.round((100 * color.share) / total))} % likely`)),
    );
    this.#press();
    if (focus) (element("suggestions").firstElementChild ?? element("hue")).focus({ preventScroll: true });
  }

  /** Show a mark's colour and size in the controls. */
  show({ color, radius }) {
    this.current = color;
    const { a, b } = color ?? { a: 0, b: 0 };
    const hue = Math.atan2(b, a);
    if (Math.hypot(a, b) > 0.5) element("hue").value = Math.round(((hue * 180) / Math.PI + 360) % 360);
    element("strength").value = color ? Math.round((100 * Math.hypot(a, b)) / Math.max(strongest(this.#L, hue), 1)) : 0;
    element("radius").value = Math.log2(radius / this.#usual);
    this.#paintTracks();
    this.#press();
  }

  hide() {
    this.id = null;
    this.#box.hidden = true;
    document.querySelector(".work").style.transform = "";
  }

  /** Put the popover beside a point of the window; on narrow screens it is a sheet below, and the photo makes room. */
  place(x, y) {
    const box = this.#box;
    if (matchMedia(NARROW).matches) {
      box.style.left = box.style.top = "";
      const work = document.querySelector(".work");
      const lifted = new DOMMatrix(getComputedStyle(work).transform).m42;
      const over = y - lifted - (innerHeight - box.offsetHeight - 60);
      work.style.transform = over > 0 ? `translateY(${-Math.min(over, box.offsetHeight)}px)` : "";
      return;
    }
    const { offsetWidth: width, offsetHeight: height } = box;
    const right = x + GAP + width <= innerWidth - 8;
    box.style.left = `${Math.max(8, right ? x + GAP : x - GAP - width)}px`;
    box.style.top = `${Math.max(TOP, Math.min(y - height / 3, innerHeight - height - 8))}px`;
  }

  /** Keep the current colour among those used last. */
  remember() {
    if (!this.current) return;
    const { a, b } = this.current;
    const far = (other) => Math.hypot(other.a - a, other.b - b) > 10;
    this.#recent = [{ a, b }, ...this.#recent.filter(far)].slice(0, KEPT);
    try {
      localStorage.setItem(RECENT, JSON.stringify(this.#recent));
    } catch {
      // A browser that keeps nothing still works.
    }
  }

  #choose({ a, b }) {
    this.#does.color({ a, b });
    this.remember();
  }

  /** From the sliders to a colour, in the gamut at this lightness. */
  #mix() {
    const hue = (element("hue").value * Math.PI) / 180;
    const chroma = (element("strength").value / 100) * strongest(this.#L, hue);
    const strong = element("strength").value > 0 || document.activeElement === element("strength");
    const some = strong ? chroma : 0.5 * strongest(this.#L, hue); // a hue alone says nothing yet
    this.#does.color({ a: some * Math.cos(hue), b: some * Math.sin(hue) });
  }

  #showRecent(color) {
    const others = this.#recent.filter((recent) => !color || Math.hypot(recent.a - color.a, recent.b - color.b) > 1);
    element("recently").hidden = !others.length;
    element("recent").replaceChildren(...others.map((recent) => this.#swatch(recent, nameOf(this.#L, recent.a, recent.b))));
  }

  #swatch({ a, b }, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "swatch";
    button.style.setProperty("--color", hexOf(visible(this.#L), a, b));
    button.dataset.a = a;
    button.dataset.b = b;
    button.title = label;
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => this.#choose({ a, b }));
    return button;
  }

  #press() {
    for (const button of this.#box.querySelectorAll(".swatch[data-a]")) {
      const same = this.current && Math.hypot(button.dataset.a - this.current.a, button.dataset.b - this.current.b) < 0.5;
      button.setAttribute("aria-pressed", Boolean(same));
    }
  }

  #paintTracks() {
    const L = visible(this.#L);
    const hue = (element("hue").value * Math.PI) / 180;
    const stops = Array.from({ length: 25 }, (_, i) => {
      const angle = (i * 15 * Math.PI) / 180;
      const chroma = 0.85 * strongest(L, angle);
      return hexOf(L, chroma * Math.cos(angle), chroma * Math.sin(angle));
    });
    element("hue").style.setProperty("--track", `linear-gradient(to right, ${stops.join(", ")})`);
    const most = strongest(L, hue);
    const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => hexOf(L, share * most * Math.cos(hue), share * most * Math.sin(hue)));
    element("strength").style.setProperty("--track", `linear-gradient(to right, ${steps.join(", ")})`);
    for (const id of ["hue", "strength"]) {
      const { a, b } = this.current ?? { a: 0, b: 0 };
      element(id).setAttribute("aria-valuetext", this.current ? nameOf(this.#L, a, b) : "none yet");
    }
  }
}

/** A lightness at which colours can be told from each other. */
const visible = (L) => Math.min(Math.max(L, 32), 86);

function placeholder() {
  const box = document.createElement("span");
  box.className = "swatch waiting";
  return box;
}

function recentColors() {
  try {
    const colors = JSON.parse(localStorage.getItem(RECENT)) ?? [];
    return colors.filter(({ a, b }) => Number.isFinite(a) && Number.isFinite(b)).slice(0, KEPT);
  } catch {
    return [];
  }
}
