// The studio: photos come in, the network colours them, people correct it, and the result goes out.

import { Editor } from "./editor.js";
import { StripPhoto, readHintFile } from "./edits.js";
import { Engine } from "./engine.js";
import { labOf } from "./color.js";
import { abOfCss, busy, say, warn, wireFiles, wireMenu, wireTheme } from "./controls.js";
import { Divider } from "./divider.js";
import { saveAll, saveOne } from "./output.js";
import { Panel } from "./panel.js";
import { Strip } from "./strip.js";
import { View } from "./view.js";

const CLOSE_UP_AFTER = 180; // milliseconds without movement
const GROWTH = 1.3; // of the stage, from which on a photo is read again at the larger size

const element = (id) => document.getElementById(id);

const photos = [];
let current = null;
let model = null; // what the network can do, when it is there
let room = null; // for which the current photo was opened
let closeUpTimer = 0;

const engine = new Engine((done, total) => {
  element("loading-bar").max = total;
  element("loading-bar").value = done;
  element("loading-text").textContent = `Loading the network … ${Math.round((100 * done) / total)} %`;
});

const view = new View(element("stage"), element("view"), element("divider"), () => {
  editor?.follow();
  element("zoom-text").textContent = `${Math.round(100 * view.scale * view.density)} %`;
  clearTimeout(closeUpTimer);
  closeUpTimer = setTimeout(look, CLOSE_UP_AFTER);
});
const ask = (what, details) => engine.ask(what, { photo: current.id, ...details });
const askNewest = (what, details) => engine.askNewest(what, { photo: current.id, ...details });
const changes = { changed: () => recolor(), settled: () => settled(), ask, askNewest };
const editor = new Editor(view, changes);
const panel = new Panel(changes);
const divider = new Divider(view);
const strip = new Strip({ select: (photo) => select(photo), remove: (photo) => remove(photo) });

// ---- The model -----------------------------------------------------------------------------------------------

async function start() {
  try {
    model = await engine.ask("start", { threads: self.crossOriginIsolated });
  } catch (error) {
    document.body.dataset.state = "failed";
    element("loading-text").textContent = error.message;
    return;
  }
  element("loading").hidden = true;
  document.body.dataset.state = photos.length ? "open" : "ready";
  document.body.dataset.model = model.name;
  document.body.classList.toggle("no-hints", !model.hints);
  editor.enabled = model.hints;
  panel.fit(model);
  if (photos.length && !current) select(photos[0]);
}

// ---- Photos --------------------------------------------------------------------------------------------------

function take(files) {
  const hints = files.filter((file) => /\.json$/i.test(file.name));
  const fresh = files.filter((file) => !hints.includes(file)).map((file) => new StripPhoto(file));
  photos.push(...fresh);
  if (fresh.length) {
    document.body.dataset.state = model ? "open" : "starting-with-photos";
    if (model) select(fresh[0]);
    else busy("Loading the network …");
    strip.show(photos, current);
  }
  if (hints.length && current) loadHints(hints[0]);
  else if (hints.length && !fresh.length) warn("Open the photo first, then load its colour hints.");
}

async function sample(name) {
  const response = await fetch(`samples/${name}.jpg`).catch(() => null);
  if (!response?.ok) return warn("This sample is not there. Choose a photo of your own.");
  take([new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" })]);
}

/** Put a photo on the stage and colour it. */
async function select(photo) {
  leave();
  current = photo;
  document.body.dataset.state = "open";
  document.body.dataset.photo = "";
  element("failure").hidden = true;
  hideBanner();
  view.show(null);
  editor.take(null);
  panel.show(photo);
  show();
  busy("Opening …");
  if (!(await open(photo)) || photo !== current) return;
  busy("Colouring …");
  const first = photo.status !== "open";
  photo.status = "open";
  editor.take(photo);
  panel.show(photo);
  if (photo.colourful) showBanner("This photo has colours already. The studio uses only its light and dark, and guesses all colours anew.");
  const painted = await recolor();
  busy(null);
  show();
  if (painted && first) divider.reveal();
  if (document.activeElement === document.body) element("view").focus({ preventScroll: true, focusVisible: false });
  document.body.dataset.photo = photo.name;
}

/** Read a photo's file and show it as it came; returns whether that was possible. */
async function open(photo) {
  try {
    room = view.room;
    const opened = await engine.ask("open", { photo: photo.id, file: photo.file, room });
    if (photo !== current) return false;
    Object.assign(photo, { width: opened.width, height: opened.height, colourful: opened.colourful });
    photo.thumbnail ??= opened.thumbnail;
    strip.draw(photo, photo.thumbnail);
    view.show(opened);
    element("view").setAttribute("aria-label", `${photo.name}, ${photo.width} by ${photo.height} pixels`);
    return true;
  } catch (error) {
    photo.status = "failed";
    photo.error = error.message;
    if (photo === current) fail(error.message);
    return false;
  }
}

function fail(text) {
  busy(null);
  element("failure-text").textContent = text;
  element("failure").hidden = false;
  show();
  say(text);
}

/** Settle what was being done to the current photo. */
function leave() {
  editor.close();
  current?.settle();
  panel.open(false);
}

function remove(photo) {
  const at = photos.indexOf(photo);
  leave();
  photos.splice(at, 1);
  engine.ask("close", { photo: photo.id }).catch(() => {});
  if (photo === current) {
    const next = photos[Math.min(at, photos.length - 1)];
    current = null;
    if (next) select(next);
    else {
      view.show(null);
      editor.take(null);
      element("failure").hidden = true;
      hideBanner();
      document.body.dataset.state = "ready";
      element("choose").focus();
    }
  }
  show();
}

// ---- Colours -------------------------------------------------------------------------------------------------

/** Colour the current photo with its edit; returns whether the colours are on the stage. */
async function recolor() {
  const photo = current;
  view.peeking = photo.edit.alone || divider.peeking;
  panel.show(photo);
  editor.marks.show(photo, editor.popover.id);
  const began = performance.now();
  try {
    let answer = await askNewest("color", { edit: photo.forWorker() }).catch(async (error) => {
      if (error.message !== "closed" || !(await open(photo))) throw error;
      return askNewest("color", { edit: photo.forWorker() });
    });
    if (!answer || photo !== current) return false;
    view.color(answer.pixels, answer.closeUp);
    strip.draw(photo, photo.edit.alone ? photo.thumbnail : view.picture);
    // For whoever looks at the speed in the browser's tools.
    performance.measure("edit", { start: began, detail: { worker: answer.milliseconds } });
    document.body.dataset.painted = Number(document.body.dataset.painted ?? 0) + 1;
    return true;
  } catch (error) {
    if (photo === current) warn(error.message);
    return false;
  }
}

function settled() {
  current?.settle();
  show();
}

function travel(how) {
  if (!current) return;
  editor.close();
  current[how]();
  editor.refresh();
  show();
  recolor();
  say(how === "undo" ? "Undone" : "Done again");
}

/** Everything around the photo, as it is now. */
function show() {
  strip.show(photos, current);
  if (current) strip.reveal(current);
  const failed = current?.status === "failed";
  for (const part of [element("panel"), document.querySelector(".tools")]) part.inert = failed;
  element("undo").disabled = !current?.past.length;
  element("redo").disabled = !current?.future.length;
  element("save").disabled = current?.status !== "open";
  document.querySelector('[data-needs="several"]').hidden = photos.filter(({ status }) => status !== "failed").length < 2;
  document.querySelector('[data-needs="hints"]').hidden = !model?.hints;
  panel.show(current);
}

/** Look closer where the screen shows more pixels than the picture has. */
async function look() {
  const photo = current;
  if (photo?.status !== "open") return;
  const { room: now } = view;
  if (room && now.width > GROWTH * room.width && now.height > GROWTH * room.height && (await open(photo))) recolor();
  const place = view.wantedCloseUp;
  if (!place) return;
  const answer = await askNewest("closeUp", { place, edit: photo.forWorker() }).catch(() => null);
  if (answer && photo === current) view.showCloseUp(place, answer.before, answer.after);
}

/** Show the whole photo as it came, or no longer. */
function peek(on) {
  divider.peek(on, Boolean(current?.edit.alone));
}

// ---- In and out ----------------------------------------------------------------------------------------------

async function save(what) {
  editor.close();
  if (what !== "all") return saveOne(engine, current, what);
  const ready = photos.filter(({ status }) => status !== "failed");
  await saveAll(engine, ready, (photo) => photo === current);
  if (ready.includes(current)) recolor(); // its pixels may have been dropped for others'
}

async function loadHints(file) {
  if (!current) return;
  editor.close();
  try {
    const { marks, vividness } = readHintFile(await file.text(), current, (text) => abOfCss(text, labOf));
    if (!model.hints && marks.length) throw new Error("This model takes no colour hints.");
    current.do({ marks, vividness });
    editor.refresh();
    show();
    recolor();
    say(`${marks.length} hints loaded`);
  } catch (error) {
    warn(error.message);
  }
}

async function takeReference(file) {
  const photo = current;
  busy("Looking at its colours …");
  try {
    const { shift } = await ask("reference", { file });
    const reference = { name: file.name, shift: [...shift], picture: URL.createObjectURL(file) };
    photo.do({ reference });
    if (photo === current) recolor();
    show();
  } catch (error) {
    warn(error.message);
  }
  busy(null);
}

// ---- Wires ---------------------------------------------------------------------------------------------------

function showBanner(text) {
  element("banner-text").textContent = text;
  element("banner").hidden = false;
}

/** One pixel of the photo on one of the screen. */
function ownSize() {
  view.zoom(1 / view.density / view.scale);
}

function hideBanner() {
  element("banner").hidden = true;
}

for (const id of ["choose", "add"]) element(id).addEventListener("click", () => element("photo-file").click());
element("samples").addEventListener("click", (event) => {
  const button = event.target.closest("[data-sample]");
  if (button) sample(button.dataset.sample);
});
element("banner-close").addEventListener("click", hideBanner);
element("failure-remove").addEventListener("click", () => remove(current));
element("undo").addEventListener("click", () => travel("undo"));
element("redo").addEventListener("click", () => travel("redo"));
element("compare").addEventListener("click", () => peek(!divider.peeking));
element("zoom-in").addEventListener("click", () => view.zoom(1.4));
element("zoom-out").addEventListener("click", () => view.zoom(1 / 1.4));
element("zoom-fit").addEventListener("click", () => view.fit());
element("zoom-text").addEventListener("click", () => ownSize());
wireTheme(() => view.draw());
wireMenu(element("save"), element("save-menu"), save);
wireFiles({ files: take, hints: loadHints, reference: takeReference });

addEventListener("keydown", (event) => {
  if (event.target.closest?.("input[type=text]") || !current) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (key === "z" || key === "y")) {
    event.preventDefault();
    return travel(key === "y" || event.shiftKey ? "redo" : "undo");
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const range = event.target.closest?.("input, #divider");
  const does = {
    "+": () => view.zoom(1.25), "=": () => view.zoom(1.25), "-": () => view.zoom(0.8), 0: () => view.fit(), 1: ownSize,
    b: () => peek(!divider.peeking),
    v: () => editor.choose("pick"), p: () => editor.choose("brush"),
    escape: () => editor.close(),
  }[key];
  if (!does || (range && key !== "escape")) return;
  does();
});

start();
