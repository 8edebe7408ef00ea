// Copies the runtime from node_modules to vendor/, where the page loads it. `npm install` runs it.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, "node_modules", "@litertjs");
const vendor = join(here, "vendor");

rmSync(vendor, { recursive: true, force: true });
mkdirSync(join(vendor, "wasm"), { recursive: true });

// Workers know no import maps, so the one import by a package's name becomes one by address. Source maps stay behind.
const script = (...path) => readFileSync(join(packages, ...path), "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
const runtime = script("core", "dist", "index.js");
const byName = 'from "@litertjs/wasm-utils"';
if (runtime.split(byName).length !== 2) {
  throw new Error(`vendor.mjs expects exactly one \`${byName}\` in @litertjs/core: adapt it to this version`);
}
writeFileSync(join(vendor, "litert.js"), runtime.replace(byName, 'from "./wasm-utils.js"'));
writeFileSync(join(vendor, "wasm-utils.js"), script("wasm-utils", "dist", "bundle.js"));

// With threads; without; for browsers without relaxed SIMD. The fourth build, for WebGPU and WebNN, is not used.
for (const build of ["threaded_", "", "compat_"]) {
  for (const suffix of ["js", "wasm"]) {
    const name = `litert_wasm_${build}internal.${suffix}`;
    cpSync(join(packages, "core", "wasm", name), join(vendor, "wasm", name));
  }
}
