// The files that leave the studio: photos in colour, a picture of before and after, and hints.

import { busy, download, say, warn } from "./controls.js";
import { hintFile } from "./edits.js";

const SMALL = { width: 256, height: 256 }; // the room for a photo that nobody looks at

/** Save the photo on the stage. what: "hints", "compare", or the type of the coloured picture. */
export async function saveOne(engine, photo, what) {
  const ask = (question, details) => engine.ask(question, { photo: photo.id, edit: photo.forWorker(), ...details });
  if (what === "hints") return download(new Blob([hintFile(photo)], { type: "application/json" }), `${photo.stem}.hints.json`);
  if (photo.edit.alone && what !== "compare") return download(photo.file, photo.name);
  busy("Saving …");
  try {
    if (what === "compare") download(await ask("compare"), `${photo.stem}-before-after.jpg`);
    else download(await ask("save", { type: what }), colorName(photo, what));
    say("Saved");
  } catch (error) {
    warn(error.message);
  }
  busy(null);
}

/** Save several photos as JPEG, those that were left alone as they came. isShown(photo): whether it is on the stage. */
export async function saveAll(engine, photos, isShown) {
  for (const [i, photo] of photos.entries()) {
    busy(`Saving ${i + 1} of ${photos.length} …`);
    try {
      if (photo.edit.alone) {
        download(photo.file, photo.name);
        continue;
      }
      if (!isShown(photo)) await engine.ask("open", { photo: photo.id, file: photo.file, room: SMALL });
      const blob = await engine.ask("save", { photo: photo.id, edit: photo.forWorker(), type: "image/jpeg" });
      if (!isShown(photo)) await engine.ask("close", { photo: photo.id });
      download(blob, colorName(photo, "image/jpeg"));
    } catch (error) {
      warn(`${photo.name}: ${error.message}`);
    }
  }
  busy(null);
}

const colorName = (photo, type) => `${photo.stem}-colour.${type === "image/png" ? "png" : "jpg"}`;
