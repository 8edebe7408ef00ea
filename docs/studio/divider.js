// Before and after: the divider between them on the stage, and the button that shows the whole photo as it came.

const REVEAL = 900; // milliseconds in which the first colours come
const STEPS = {
  ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1,
};

const element = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Divider {
  #view;

  constructor(view) {
    this.#view = view;
    const handle = element("divider");
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus({ preventScroll: true, focusVisible: false });
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, right } = view.visible;
      this.#split((event.clientX - element("stage").getBoundingClientRect().left - left) / Math.max(right - left, 1));
    });
    handle.addEventListener("dblclick", () => this.#split(view.split > 0.02 ? 0 : 0.5));
    handle.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS)) return;
      event.preventDefault();
      this.#split(view.split + STEPS[event.key]);
    });
  }

  /** Whether the button for the whole photo as it came is pressed. */
  get peeking() {
    return element("compare").getAttribute("aria-pressed") === "true";
  }

  /** Press that button, or release it; `alone`: the photo stays as it came anyway. */
  peek(on, alone) {
    element("compare").setAttribute("aria-pressed", on);
    this.#view.peeking = on || alone;
    this.#view.draw();
  }

  /** Show the first colours as a curtain that opens. */
  reveal() {
    if (calm.matches || document.hidden) return;
    const began = performance.now();
    const step = (now) => {
      const share = Math.min((now - began) / REVEAL, 1);
      this.#split((1 - share) ** 3);
      if (share < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #split(share) {
    const view = this.#view;
    view.split = Math.min(Math.max(share, 0), 1);
    const percent = Math.round(100 * view.split);
    element("divider").setAttribute("aria-valuenow", percent);
    element("divider").setAttribute("aria-valuetext", `${percent} % as it was`);
    element("label-before").hidden = view.split < 0.08;
    element("label-after").hidden = view.split < 0.08 || view.split > 0.92;
    view.draw();
  }
}
