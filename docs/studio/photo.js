// A photo's file: opened, read in parts, and written in colour at full size. No more than one decoded copy of it is in
// memory, and only while it is opened, saved, or looked at closely; what stays is a picture of the screen's size.

import { lightnessOf } from "./color.js";
import { coloredPart } from "./finish.js";
import { frameOf } from "./frame.js";
import { exifOf, withExif } from "./metadata.js";

const MEGAPIXELS = 64;
const STRIP_PIXELS = 1 << 20;
const THUMBNAIL = 160; // pixels of its longer side
const COLOURFUL = 6; // mean distance of the levels of a pixel, above which a photo has colours of its own

/**
 * Open a photo.
 *
 * room: {width, height} of the screen in pixels. Returns {file, width, height, frame, screen, thumbnail, colourful};
 * `screen` is {width, height, rgba, fy}, as large as the room.
 */
export async function opened(file, facts, room) {
  const bitmap = await decoded(file);
  try {
    const { width, height } = bitmap;
    if (width * height > MEGAPIXELS * 1e6) {
      const size = Math.round((width * height) / 1e6);
      throw new Error(`${file.name} has ${size} megapixels. The studio takes up to ${MEGAPIXELS}: make it smaller first, or use the command keras-colorize colorize.`);
    }
    const frame = frameOf({ width, height, read: reader(bitmap) }, facts);
    const scale = Math.min(1, room.width / width, room.height / height);
    const screen = scaled(bitmap, Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    const small = Math.min(1, THUMBNAIL / Math.max(width, height));
    const thumbnail = canvasOf(bitmap, Math.max(1, Math.round(width * small)), Math.max(1, Math.round(height * small)));
    return {
      file, width, height, frame, screen,
      thumbnail: thumbnail.transferToImageBitmap(),
      colourful: isColourful(screen.rgba),
    };
  } finally {
    bitmap.close();
  }
}

/** Part of a photo, {left, top, width, height} in its pixels, at columns × rows: as `coloredPart` takes it. */
export async function closeUp(photo, { left, top, width, height, columns, rows }) {
  const bitmap = await decoded(photo.file);
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, width, height, 0, 0, columns, rows);
  bitmap.close();
  const { data: rgba } = context.getImageData(0, 0, columns, rows);
  const part = { left, top, width: columns, height: rows, stepX: width / columns, stepY: height / rows };
  return { part, rgba, fy: lightnessOf(rgba) };
}

/** The coloured photo as a file. lines: of `guidedLines`; type: "image/jpeg" or "image/png". */
export async function saved(photo, lines, type) {
  const { width, height } = photo;
  let canvas;
  try {
    canvas = await fullCanvas(photo);
  } catch (error) {
    if (error instanceof RangeError || error.name === "InvalidStateError") throw new Error("This browser has too little memory for a photo of this size. Use the command keras-colorize colorize.");
    throw error;
  }
  const context = canvas.getContext("2d");
  const rows = Math.max(1, Math.floor(STRIP_PIXELS / width));
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    const { data } = context.getImageData(0, top, width, count);
    const part = { width, height: count, left: 0, top, stepX: 1, stepY: 1 };
    context.putImageData(new ImageData(coloredPart(lightnessOf(data), data, part, lines, photo.frame.picture), width, count), 0, top);
  }
  const picture = await canvas.convertToBlob({ type, quality: 0.95 });
  return withExif(picture, await exifOf(photo.file));
}

/** A picture to show others: on the left the photo as it came, on the right in colour. */
export async function compared(photo, lines, longest = 2048) {
  const bitmap = await decoded(photo.file);
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(length * scale)));
  const canvas = canvasOf(bitmap, width, height);
  const steps = { stepX: bitmap.width / width, stepY: bitmap.height / height };
  bitmap.close();
  const context = canvas.getContext("2d");
  const half = width >> 1;
  const { data } = context.getImageData(half, 0, width - half, height);
  const part = { width: width - half, height, left: half * steps.stepX, top: 0, ...steps };
  const colors = coloredPart(lightnessOf(data), data, part, lines, photo.frame.picture);
  context.putImageData(new ImageData(colors, width - half, height), half, 0);
  context.fillStyle = "#fff";
  context.fillRect(half - Math.max(1, width / 800), 0, Math.max(2, width / 400), height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(await reasonFor(file));
  }
}

/** In plain words, why a browser does not open a file, and what helps. */
async function reasonFor(file) {
  const name = file.name || "This file";
  const head = new Uint8Array(await file.slice(0, 16).arrayBuffer().catch(() => new ArrayBuffer(0)));
  const begins = String.fromCharCode(...head);
  if (/\.(heic|heif)$/i.test(name) || /ftyp(hei|hev|mif1|msf1)/.test(begins)) {
    return `${name} is a HEIC photo, which this browser cannot open. Save it as JPEG first: on an iPhone, share it by mail, or choose Settings, Camera, Formats, Most Compatible.`;
  }
  if (/\.tiff?$/i.test(name) || /^(II\*|MM\0)/.test(begins)) return `${name} is a TIFF photo, which browsers cannot open. Save it as JPEG or PNG first, or use the command keras-colorize colorize.`;
  if (/\.(cr2|cr3|nef|arw|dng|raf|orf|rw2)$/i.test(name)) return `${name} is a raw photo of a camera, which browsers cannot open. Save it as JPEG first.`;
  if (!head.length) return `${name} is empty or cannot be read.`;
  if (/^\xff\xd8|PNG|^GIF8|^RIFF/.test(begins)) return `${name} is damaged: the browser cannot open it. Try another copy of it.`;
  return `${name} is no photo that this browser can open. Choose a JPEG, PNG or WebP file.`;
}

async function fullCanvas(photo) {
  const bitmap = await decoded(photo.file);
  const canvas = canvasOf(bitmap, photo.width, photo.height);
  bitmap.close();
  return canvas;
}

function canvasOf(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new RangeError("no canvas of this size");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas;
}

function scaled(bitmap, width, height) {
  const { data: rgba } = canvasOf(bitmap, width, height).getContext("2d").getImageData(0, 0, width, height);
  return { width, height, rgba, fy: lightnessOf(rgba) };
}

/** A function that reads a rectangle of pixels, through one small canvas. */
function reader(bitmap) {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return (left, top, width, height) => {
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    else context.clearRect(0, 0, width, height);
    context.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  };
}

function isColourful(rgba) {
  let total = 0;
  let count = 0;
  for (let at = 0; at < rgba.length; at += 4 * 37, count++) {
    total += Math.max(rgba[at], rgba[at + 1], rgba[at + 2]) - Math.min(rgba[at], rgba[at + 1], rgba[at + 2]);
  }
  return total / count > COLOURFUL;
}
