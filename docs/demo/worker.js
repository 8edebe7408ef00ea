// The runtime, the model and the arithmetic on pixels, beside the page, which stays responsive meanwhile.
// One worker holds one model: another model gets another worker, so that nothing of the last one is left in memory.
//
// in:  {model: ArrayBuffer, threads: boolean}    out: {ready: {width, height, core, threads}}
//      {photo: Blob, id}                         {photo: {width, height, grey, color, milliseconds}, id}
//                                                {error: string, id}: one line, for the reader; without id: of the model
//
// A classic script, since the runtime loads its own parts by importScripts, which modules lack.

const MEGAPIXELS = 50;
const WASM = new URL("vendor/wasm/", self.location.href).href;

let complaint = ""; // the runtime's last error: what it throws is often only a number
let network;
let color;

self.Module = {
  locateFile: (name) => WASM + name,
  // Threads are workers that load this; by default they would load the script of this worker.
  mainScriptUrlOrBlob: `${WASM}litert_wasm_threaded_internal.js`,
  printErr: (line) => {
    if (/^(ERROR|FATAL)|abort/i.test(line)) complaint = line;
  },
};

self.onmessage = async ({ data }) => {
  try {
    if (data.model) {
      self.postMessage({ ready: await load(new Uint8Array(data.model), data.threads) });
    } else {
      const photo = await colorize(data.photo);
      self.postMessage({ photo, id: data.id }, [photo.grey.buffer, photo.color.buffer]);
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : `the runtime stopped. ${complaint}`;
    self.postMessage({ error: text.replace(/\s+/g, " ").trim(), id: data.id });
  }
};

async function load(bytes, wantsThreads) {
  // "TFL3" after the four bytes of the root's address.
  if (String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") throw new Error("that file is no .tflite model");
  color = await import("./color.js");
  const litert = await import("./vendor/litert.js");
  const threads = wantsThreads && (await start(litert, true));
  if (!threads) await start(litert, false);
  const model = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
  network = { litert, model, ...interfaceOf(model) };
  const { width, height, core } = network;
  return { width, height, core, threads: threads ? navigator.hardwareConcurrency : 1 };
}

/** Start the runtime; false where the browser has no threads for it. */
async function start(litert, threads) {
  try {
    await litert.loadLiteRt(WASM, { threads });
    return true;
  } catch (error) {
    if (threads) return false;
    throw error;
  }
}

/** Size and kind of a model that this page can run: a photo to a photo, or with `core` L to ab. */
function interfaceOf(model) {
  const [inputs, outputs] = [model.getInputDetails(), model.getOutputDetails()];
  const words = (details) => details.map(({ dtype, shape }) => `${dtype} [${[...shape].join(", ")}]`).join(" and ");
  const is = ([details, ...others], dtype, channels) =>
    !others.length && details.dtype === dtype && details.shape.length === 4 && details.shape[3] === channels;
  const core = is(inputs, "float32", 1) && is(outputs, "float32", 2);
  if (!core && !(is(inputs, "uint8", 3) && is(outputs, "uint8", 3))) {
    throw new Error(
      `that model makes ${words(outputs)} of ${words(inputs)}; expected uint8 [1, H, W, 3] of the same, ` +
        "or float32 [1, H, W, 2] of [1, H, W, 1]: take one that keras-colorize export wrote",
    );
  }
  const [, height, width] = inputs[0].shape;
  if (height < 1 || width < 1) {
    throw new Error("that model is for photos of any size, which browsers cannot run yet: export it with --size 256");
  }
  return { width, height, core };
}

async function colorize(file) {
  const began = performance.now();
  const { rgba, width, height } = await pixelsOf(file);
  const { width: columns, height: rows, core } = network;
  const whole = width === columns && height === rows && !core;
  const frame = whole ? { rgba } : color.fitted(rgba, width, height, columns, rows);
  const L = whole ? null : color.lightness(frame.rgba);
  const asked = performance.now();
  const answer = await run(core ? L : withoutAlpha(frame.rgba));
  const answered = performance.now();

  let result;
  if (whole) {
    result = { grey: color.greyOf(rgba), color: withAlpha(answer, rgba) };
  } else {
    const lines = color.guidedCoefficients(L, core ? answer : color.chroma(answer), columns, rows);
    const part = color.cropped(lines, columns, 4, frame);
    result = color.recolored(rgba, width, height, part, frame.width, frame.height);
  }
  const milliseconds = { network: answered - asked, all: performance.now() - began };
  return { width, height, milliseconds, ...result };
}

/** Pixels upright and in sRGB. */
async function pixelsOf(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`this browser cannot read ${file.name || "that"} as a photo: save it as JPEG or PNG`);
  }
  const { width, height } = bitmap;
  if (width * height > MEGAPIXELS * 1e6) {
    const size = Math.round((width * height) / 1e6);
    throw new Error(`${file.name} has ${size} megapixels, and this page takes ${MEGAPIXELS}: use keras-colorize colorize`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { rgba: context.getImageData(0, 0, width, height).data, width, height };
}

async function run(values) {
  const { litert, model, width, height, core } = network;
  const input = new litert.Tensor(values, [1, height, width, core ? 1 : 3]);
  const [output] = await model.run([input]);
  try {
    return await output.data();
  } finally {
    input.delete();
    output.delete();
  }
}

function withoutAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, o = 0; i < rgba.length; i += 4, o += 3) {
    rgb[o] = rgba[i];
    rgb[o + 1] = rgba[i + 1];
    rgb[o + 2] = rgba[i + 2];
  }
  return rgb;
}

function withAlpha(rgb, rgba) {
  const result = new Uint8ClampedArray(rgba);
  for (let i = 0, o = 0; i < rgb.length; i += 3, o += 4) {
    result[o] = rgb[i];
    result[o + 1] = rgb[i + 1];
    result[o + 2] = rgb[i + 2];
  }
  return result;
}
