// The panel beside the photo: vividness, hints, other versions, the colours of another photo, leaving the photo alone.

import { newId } from "./edits.js";
import { say, warn } from "./controls.js";

const VERSIONS = 5; // that come at once

const element = (id) => document.getElementById(id);

export class Panel {
  #does;
  #photo = null;
  #tiles = []; // {groups, likelihood, canvas} of the photo's versions
  #seed = 0;
  #turn = 0; // counts the photos, so that a late version of another one is dropped

  /** does: {changed(), settled(), ask(what, details), chooseReference(), chooseHints()} */
  constructor(does) {
    this.#does = does;
    element("vividness").addEventListener("input", ({ target }) => {
      this.#photo.try({ vividness: Number(target.value) });
      does.changed();
    });
    element("vividness").addEventListener("change", () => does.settled());
    element("alone").addEventListener("change", ({ target }) => this.#do({ alone: target.checked }));
    element("clear-hints").addEventListener("click", () => this.#do({ marks: [] }));
    element("load-hints").addEventListener("click", () => element("hints-file").click());
    element("more-versions").addEventListener("click", () => this.#moreVersions());
    element("choose-reference").addEventListener("click", () => element("reference-file").click());
    element("remove-reference").addEventListener("click", () => this.#do({ reference: null }));
    for (const [id, open] of [["open-panel", true], ["close-panel", false]]) {
      element(id).addEventListener("click", () => this.open(open));
    }
    element("panel").addEventListener("keydown", (event) => {
      if (event.key === "Escape" && document.body.classList.contains("panel-open")) this.open(false);
    });
  }

  /** On narrow screens the panel is a sheet. */
  open(on) {
    document.body.classList.toggle("panel-open", on);
    element("open-panel").setAttribute("aria-expanded", on);
    if (on) element("vividness").focus({ preventScroll: true });
    else if (document.activeElement?.closest("#panel")) element("open-panel").focus();
  }

  /** What the model can do decides what is offered. */
  fit({ hints, distribution }) {
    element("hint-section").hidden = !hints;
    element("version-section").hidden = !(hints && distribution);
    element("reference-section").hidden = !distribution;
  }

  show(photo) {
    if (photo !== this.#photo) {
      this.#photo = photo;
      [this.#tiles, this.#seed] = [[], 0];
      this.#turn++;
      this.#showVersions();
    }
    if (!photo) return;
    const { vividness, marks, alone, reference } = photo.edit;
    element("vividness").value = vividness;
    element("vividness-value").textContent = `${Math.round(100 * vividness)} %`;
    element("vividness").setAttribute("aria-valuetext", `${Math.round(100 * vividness)} percent`);
    const count = marks.filter(({ color }) => color).length;
    element("hint-count").textContent = count || "none";
    element("clear-hints").disabled = !count;
    element("hint-help").hidden = count > 0;
    element("alone").checked = alone;
    for (const id of ["vividness", "more-versions", "choose-reference", "load-hints"]) element(id).disabled = alone;
    element("reference").hidden = !reference;
    if (reference) {
      element("reference-name").textContent = reference.name;
      element("reference-picture").src = reference.picture;
    }
    this.#pressVersion();
    element("details").textContent = photo.width ? `${photo.width} × ${photo.height} pixels` : "";
  }

  #do(changes) {
    this.#photo.try(changes);
    this.#does.settled();
    this.#does.changed();
  }

  async #moreVersions() {
    const [photo, turn, button] = [this.#photo, this.#turn, element("more-versions")];
    button.disabled = true;
    button.textContent = "Drawing …";
    const edit = { ...photo.forWorker(), hints: ownHints(photo) };
    try {
      for (let i = 0; i < VERSIONS; i++) {
        const taken = this.#tiles.flatMap(({ groups }) => groups.slice(0, 1).map(({ a, b }) => [a, b]));
        const version = await this.#does.ask("version", { edit, seed: ++this.#seed, taken });
        if (turn !== this.#turn) return;
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [version.width, version.height];
        canvas.getContext("2d").putImageData(new ImageData(version.pixels, version.width, version.height), 0, 0);
        this.#tiles.push({ groups: version.groups, likelihood: version.likelihood, canvas });
        this.#showVersions();
      }
      say(`${this.#tiles.length} versions`);
    } catch (error) {
      warn(error.message);
    } finally {
      button.disabled = false;
      if (turn === this.#turn) button.textContent = "More";
    }
  }

  #showVersions() {
    this.#tiles.sort((one, other) => other.likelihood - one.likelihood);
    if (!this.#tiles.length) element("more-versions").textContent = "Show";
    const buttons = this.#tiles.map(({ groups, canvas }, i) => {
      const button = this.#tile(`Version ${i + 1}`, () => this.#choose(groups));
      button.append(canvas);
      return button;
    });
    if (buttons.length) {
      const first = this.#tile("The first guess", () => this.#choose([]));
      first.append("First guess");
      buttons.unshift(first);
    }
    element("versions").replaceChildren(...buttons);
    this.#pressVersion();
  }

  #tile(label, choose) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", label);
    button.title = label;
    button.addEventListener("click", choose);
    return button;
  }

  /** A version is a few hints like any others: they can be moved, changed and saved. */
  #choose(groups) {
    const own = this.#photo.edit.marks.filter(({ version }) => !version);
    const marks = groups.map(({ points, radius, a, b }) => ({ id: newId(), points, radius, color: { a, b }, version: true }));
    this.#do({ marks: [...own, ...marks] });
  }

  #pressVersion() {
    const places = (groups) => groups.map(({ points }) => points.map(({ x, y }) => `${x},${y}`)).join(" ");
    const now = places(this.#photo?.edit.marks.filter(({ version }) => version) ?? []);
    [...element("versions").children].forEach((button, i) => {
      button.setAttribute("aria-pressed", now === places(i ? this.#tiles[i - 1].groups : []));
    });
  }
}

function ownHints(photo) {
  const marks = photo.edit.marks.filter(({ color, version }) => color && !version);
  return marks.flatMap(({ points, radius, color }) => points.map(({ x, y }) => ({ x, y, radius, ...color })));
}
