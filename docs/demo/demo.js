// The page: files in, two canvases and a slider out. What computes is worker.js.

const element = (id) => document.getElementById(id);
const picture = element("picture");
const handle = element("handle");

let worker = null; // with its model; null while there is none
let ready = false;
let photo = null; // the newest file: shown, in the worker, or waiting
let lastId = 0; // its number
let busyWith = 0; // the number of the photo that the worker has; 0: none

// ---- The model -----------------------------------------------------------------------------------------------

async function fetchModel() {
  say("Loading the model …", true);
  const response = await fetch("model.tflite").catch(() => null);
  if (worker) return; // the visitor was faster and chose one
  if (!response?.ok) {
    say("There is no model.tflite beside this page: choose a model first.");
    return;
  }
  useModel(await response.arrayBuffer(), "model.tflite");
}

function useModel(bytes, name) {
  worker?.terminate();
  [ready, busyWith] = [false, 0];
  complain("");
  say("Loading the model …", true);
  element("model").textContent = name;
  const size = bytes.byteLength;
  const own = new Worker("worker.js");
  own.onmessage = ({ data }) => own === worker && hear(data, name, size);
  own.onerror = (event) => {
    if (own !== worker) return;
    event.preventDefault();
    fail(`the runtime did not start: ${event.message || "run npm install in the page's folder"}`);
  };
  worker = own;
  worker.postMessage({ model: bytes, threads: self.crossOriginIsolated }, [bytes]);
}

function hear({ ready: model, photo: result, error, id }, name, size) {
  if (model) {
    ready = true;
    const words = [name, `${(size / 1e6).toFixed(1)} MB`, `${model.width} × ${model.height}`];
    words.push(model.threads > 1 ? `${model.threads} threads` : "one thread");
    element("model").textContent = words.join(" · ");
    say(photo ? "" : "Ready.");
    colorize();
  } else if (error && !id) {
    fail(error);
  } else {
    busyWith = 0;
    if (id !== lastId) {
      colorize(); // another photo came meanwhile
      return;
    }
    say("");
    if (error) complain(error);
    else show(result);
  }
}

/** The worker is of no use any more. */
function fail(error) {
  worker?.terminate();
  [worker, ready, busyWith] = [null, false, 0];
  element("model").textContent = "No model";
  say("Choose a model.");
  complain(error);
}

// ---- Photos --------------------------------------------------------------------------------------------------

function take(files) {
  for (const file of files) {
    if (file.name.endsWith(".tflite")) {
      file.arrayBuffer().then(
        (bytes) => useModel(bytes, file.name),
        () => complain(`cannot read ${file.name}`),
      );
    } else {
      photo = file;
      lastId++;
      complain("");
      colorize();
    }
  }
}

function colorize() {
  if (!photo || !ready || busyWith) return;
  busyWith = lastId;
  say("Colouring …", true);
  worker.postMessage({ photo, id: busyWith });
}

function show({ width, height, grey, color, milliseconds }) {
  for (const [id, pixels] of Object.entries({ grey, color })) {
    const canvas = element(id);
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  }
  picture.style.setProperty("--aspect", width / height);
  picture.style.setProperty("--pixels", width);
  element("stage").className = "";
  element("invitation").hidden = true;
  picture.hidden = element("buttons").hidden = false;
  split(50);
  [picture.dataset.photo, picture.dataset.type] = [photo.name, photo.type];
  const { network, all } = milliseconds;
  say(`${width} × ${height} in ${seconds(all)}, the network ${seconds(network)}`);
}

function seconds(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function save() {
  const type = picture.dataset.type === "image/jpeg" ? "image/jpeg" : "image/png";
  const stem = picture.dataset.photo.replace(/\.[^.]*$/, "");
  element("color").toBlob(
    (blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${stem}-colour.${type === "image/jpeg" ? "jpg" : "png"}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    },
    type,
    0.95,
  );
}

// ---- The slider ----------------------------------------------------------------------------------------------

function split(percent) {
  const share = Math.min(Math.max(percent, 0), 100);
  picture.style.setProperty("--split", `${share}%`);
  handle.setAttribute("aria-valuenow", Math.round(share));
  handle.setAttribute("aria-valuetext", `${Math.round(share)} % grey`);
}

function follow(event) {
  const { left, width } = picture.getBoundingClientRect();
  split((100 * (event.clientX - left)) / width);
}

picture.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.preventDefault();
  handle.focus({ focusVisible: false });
  picture.setPointerCapture(event.pointerId);
  follow(event);
});
picture.addEventListener("pointermove", (event) => {
  if (picture.hasPointerCapture(event.pointerId)) follow(event);
});
handle.addEventListener("keydown", (event) => {
  const now = Number.parseFloat(picture.style.getPropertyValue("--split"));
  const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  split(now + steps[event.key]);
});

// ---- Words and files -----------------------------------------------------------------------------------------

function say(text, working = false) {
  element("status").textContent = text;
  element("busy").hidden = !working;
}

function complain(text) {
  element("error").textContent = text;
  element("error").hidden = !text;
}

for (const id of ["photo-file", "model-file"]) {
  element(id).addEventListener("change", ({ target }) => {
    take(target.files);
    target.value = ""; // so that the same file can be chosen again
  });
}
element("save").addEventListener("click", save);
addEventListener("paste", (event) => take(event.clipboardData.files));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  take(event.dataTransfer.files);
});

fetchModel();
