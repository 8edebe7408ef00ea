// The network in LiteRT: on the graphics card by WebGPU where there is one, else in WebAssembly.
//
// Browsers run TFLite files of fixed size only, while a frame has the photo's proportions. The file is therefore made at
// one size, and `model.json` lists where the numbers of that size lie in it (keras_colorize/inference/converter.py). They
// are changed here to those of the size that is needed; the weights are the same for all sizes.

const WASM = new URL("vendor/wasm/", self.location.href).href;
const KEPT = 3; // compiled sizes; each takes some 30 MB

let complaint = ""; // the runtime's last error: what it throws is often only a number

self.Module = {
  locateFile: (name) => WASM + name,
  // Threads are workers that load this; by default they would load the script of this worker.
  mainScriptUrlOrBlob: `${WASM}litert_wasm_threaded_internal.js`,
  printErr: (line) => {
    if (/^(ERROR|FATAL)|abort/i.test(line)) complaint = line;
  },
};

export class Network {
  /** Fetch the model and start the runtime. `report(done, total)` is called with the bytes of the model. */
  static async start(threads, report) {
    const network = new Network();
    const [facts, content] = await Promise.all([
      fetched("model.json").then((response) => response.json()),
      fetched("model.tflite").then((response) => bytesOf(response, report)),
    ]);
    Object.assign(network, { facts, content, compiled: new Map() });
    network.litert = await import("./vendor/litert.js");
    network.device = await network.#begin(threads);
    return network;
  }

  /**
   * Run the network on a frame.
   *
   * hints: of `drawnHints`, or null. Returns {values, width, height}: the logits of a network that predicts a
   * distribution, at a part of the frame's size, or ab at the frame's size.
   */
  async run(frame, hints) {
    try {
      return await this.#run(frame, hints);
    } catch (error) {
      if (error instanceof Error) throw error;
      throw new Error(`the runtime stopped. ${complaint}`.replace(/\s+/g, " ").trim());
    }
  }

  async #run({ L, width, height }, hints) {
    const model = await this.#compiled(width, height);
    const inputs = { L: new this.litert.Tensor(L, [1, height, width, 1]) };
    if (this.facts.hints) {
      inputs.hints = new this.litert.Tensor(hints ?? new Float32Array(3 * width * height), [1, height, width, 3]);
    }
    const outputs = await model.run(inputs);
    const output = outputs[this.facts.bins ? "logits" : "ab"];
    try {
      const values = (await output.data()).slice(); // the original goes with the tensor
      const [, rows, columns] = model.getOutputDetails()[0].shape;
      return { values, width: columns, height: rows };
    } finally {
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
    }
  }

  /** Start the runtime; returns what it computes on, in words. */
  async #begin(threads) {
    if (await this.#beginOnGraphicsCard()) return "graphics card";
    if (threads) {
      try {
        await this.litert.loadLiteRt(WASM, { threads: true });
        this.accelerator = "wasm";
        return `${navigator.hardwareConcurrency} processor threads`;
      } catch {
        // This browser has no threads for it.
      }
    }
    await this.litert.loadLiteRt(WASM, { threads: false });
    this.accelerator = "wasm";
    return "one processor thread";
  }

  /**
   * A graphics card is used only if it computes what a processor does: `model.json` has the network's answer to a small
   * test picture. Drivers differ, and half precision is not always enough.
   */
  async #beginOnGraphicsCard() {
    const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
    if (!adapter || adapter.info?.isFallbackAdapter || adapter.isFallbackAdapter || !("Suspending" in WebAssembly)) return false;
    try {
      await this.litert.loadLiteRt(WASM, { jspi: true });
      this.litert.setWebGpuDevice(await adapter.requestDevice());
      this.accelerator = "webgpu";
      const { width, height, mean } = this.facts.probe;
      const L = Float32Array.from({ length: width * height }, (_, i) => 20 + (60 * (i % width)) / width);
      const { values } = await this.#run({ L, width, height }, null);
      const found = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
      if (Math.abs(found - mean) < 0.02 * mean) return true;
    } catch {
      // Not this one, then.
    }
    this.compiled.clear();
    this.litert.unloadLiteRt();
    return false;
  }

  async #compiled(width, height) {
    const key = `${width}×${height}`;
    let model = this.compiled.get(key);
    this.compiled.delete(key);
    if (!model) {
      const { height: ownHeight, width: ownWidth } = this.facts;
      if (!this.facts.multiple && (width !== ownWidth || height !== ownHeight)) throw new Error("the model has one size");
      model = await this.litert.loadAndCompile(this.#resized(width, height), { accelerator: this.accelerator });
    }
    this.compiled.set(key, model); // the last one is the newest
    if (this.compiled.size > KEPT) {
      const [oldest] = this.compiled.keys();
      this.compiled.get(oldest).delete();
      this.compiled.delete(oldest);
    }
    return model;
  }

  #resized(width, height) {
    const { multiple, places } = this.facts;
    const content = this.content.slice();
    const view = new DataView(content.buffer);
    for (const [at, rest, rows, columns] of places) {
      view.setInt32(at, rest * (rows ? height / multiple : 1) * (columns ? width / multiple : 1), true);
    }
    return content;
  }
}

async function fetched(name) {
  const response = await fetch(name).catch(() => null);
  if (!response?.ok) throw new Error(`${name} is not beside this page: start it with keras-colorize studio`);
  return response;
}

async function bytesOf(response, report) {
  const total = Number(response.headers.get("Content-Length")) || 0;
  const parts = [];
  let done = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { value, done: over } = await reader.read();
    if (over) break;
    parts.push(value);
    report((done += value.length), Math.max(total, done));
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
