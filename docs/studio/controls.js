// What surrounds the photo: menus, the theme, messages, files from outside.

const element = (id) => document.getElementById(id);
const THEME = "colorize-studio-theme";

/** The button for light and dark: the system's choice until somebody makes another. */
export function wireTheme(changed) {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  try {
    if (localStorage.getItem(THEME)) root.dataset.theme = localStorage.getItem(THEME);
  } catch {
    // Nothing is kept, then.
  }
  element("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem(THEME, root.dataset.theme);
    } catch {
      // As above.
    }
    changed();
  });
}

/** A button that opens a list of things to do. `does(name)` is called with the one that was chosen. */
export function wireMenu(button, list, does) {
  const items = () => [...list.querySelectorAll("[role=menuitem]:not([hidden])")];
  const open = (on) => {
    list.hidden = !on;
    button.setAttribute("aria-expanded", on);
    if (on) items()[0].focus({ preventScroll: true });
  };
  button.addEventListener("click", () => open(list.hidden));
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=menuitem]");
    if (!item) return;
    open(false);
    button.focus();
    does(item.dataset.save);
  });
  list.addEventListener("keydown", (event) => {
    const at = items().indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items()[(at + step + items().length) % items().length].focus();
    else if (event.key === "Escape") {
      open(false);
      button.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  addEventListener("pointerdown", (event) => {
    if (!list.hidden && !list.contains(event.target) && !button.contains(event.target)) open(false);
  });
  list.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !list.contains(event.relatedTarget) && event.relatedTarget !== button) open(false);
  });
}

/** Files from the choosers, by drop and by paste. does: {files(list), hints(file), reference(file)} */
export function wireFiles(does) {
  const chooser = (id, take) =>
    element(id).addEventListener("change", ({ target }) => {
      const files = [...target.files];
      target.value = ""; // so that the same file can be chosen again
      if (files.length) take(files);
    });
  chooser("photo-file", does.files);
  chooser("hints-file", ([file]) => does.hints(file));
  chooser("reference-file", ([file]) => does.reference(file));
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) does.files([...event.clipboardData.files]);
  });
  let inside = 0; // how many elements the pointer has entered with files and not left
  const show = () => (element("drop-here").hidden = inside <= 0);
  addEventListener("dragenter", (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    inside++;
    show();
  });
  addEventListener("dragleave", () => {
    inside = Math.max(0, inside - 1);
    show();
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    show();
    if (event.dataTransfer?.files.length) does.files([...event.dataTransfer.files]);
  });
}

/** Give a file to the reader. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

let toasting = 0;

/** A sentence that needs attention. */
export function warn(text) {
  element("toast-text").textContent = text;
  element("toast").hidden = false;
  clearTimeout(toasting);
  toasting = setTimeout(() => (element("toast").hidden = true), 4000 + 60 * text.length);
}

/** A sentence for screen readers. */
export function say(text) {
  element("said").textContent = text;
}

/** A line across the stage while something takes time; none without a text. */
export function busy(text) {
  element("busy").hidden = !text;
  element("busy-text").textContent = text ?? "";
}

/** A CSS colour as {a, b} by the browser's own table of names, or null. labOf: [r, g, b] → [L, a, b] */
export function abOfCss(text, labOf) {
  if (typeof text !== "string" || !CSS.supports("color", text)) return null;
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  const [, a, b] = labOf([...context.getImageData(0, 0, 1, 1).data].slice(0, 3));
  return { a, b };
}
