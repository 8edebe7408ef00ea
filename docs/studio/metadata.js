// EXIF: taken from a photo's file as it is, and put into the coloured one, which is upright and has no old thumbnail.

const ORIENTATION = 0x0112;
const EXIF_MARK = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif"

/** The TIFF block with a photo's EXIF data, or null. blob: JPEG, PNG or WebP; others have none here. */
export async function exifOf(blob) {
  // A generous start: EXIF stands at the front of JPEG and PNG files, but may be the last part of WebP.
  const head = new Uint8Array(await blob.slice(0, 12).arrayBuffer());
  let block = null;
  try {
    if (head[0] === 0xff && head[1] === 0xd8) block = ofJpeg(await start(blob));
    else if (text(head, 1, 3) === "PNG") block = ofPng(await start(blob));
    else if (text(head, 0, 4) === "RIFF" && text(head, 8, 4) === "WEBP") block = ofWebp(new Uint8Array(await blob.arrayBuffer()));
    return block && upright(block.slice());
  } catch {
    return null; // damaged metadata must not stop a photo
  }
}

/** The same picture, JPEG or PNG, with a TIFF block of EXIF data. */
export async function withExif(picture, block) {
  if (!block) return picture;
  if (picture.type === "image/jpeg") {
    if (block.length + 8 > 0xffff) return picture; // a segment of JPEG holds no more
    const length = block.length + 8;
    const segment = Uint8Array.of(0xff, 0xe1, length >> 8, length & 255, ...EXIF_MARK);
    // After the start and the JFIF header, which readers expect first.
    const first = new Uint8Array(await picture.slice(0, 6).arrayBuffer());
    const end = first[2] === 0xff && first[3] === 0xe0 ? 4 + (first[4] << 8) + first[5] : 2;
    return new Blob([picture.slice(0, end), segment, block, picture.slice(end)], { type: picture.type });
  }
  const chunk = new Uint8Array(12 + block.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, block.length);
  chunk.set([0x65, 0x58, 0x49, 0x66], 4); // "eXIf"
  chunk.set(block, 8);
  view.setUint32(8 + block.length, crc32(chunk.subarray(4, 8 + block.length)));
  const end = 33; // the signature and IHDR
  return new Blob([picture.slice(0, end), chunk, picture.slice(end)], { type: picture.type });
}

async function start(blob) {
  return new Uint8Array(await blob.slice(0, 1 << 19).arrayBuffer());
}

function ofJpeg(bytes) {
  for (let at = 2; at + 4 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    const length = (bytes[at + 2] << 8) + bytes[at + 3];
    if (marker === 0xda) return null; // the picture begins
    if (marker === 0xe1 && EXIF_MARK.every((byte, i) => bytes[at + 4 + i] === byte)) return bytes.subarray(at + 10, at + 2 + length);
    at += 2 + length;
  }
  return null;
}

function ofPng(bytes) {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 < bytes.length; ) {
    const length = view.getUint32(at);
    if (text(bytes, at + 4, 4) === "eXIf") return bytes.subarray(at + 8, at + 8 + length);
    at += 12 + length;
  }
  return null;
}

function ofWebp(bytes) {
  const view = new DataView(bytes.buffer);
  for (let at = 12; at + 8 < bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (text(bytes, at, 4) === "EXIF") {
      const block = bytes.subarray(at + 8, at + 8 + length);
      return EXIF_MARK.every((byte, i) => block[i] === byte) ? block.subarray(6) : block;
    }
    at += 8 + length + (length & 1);
  }
  return null;
}

/** Change a TIFF block: orientation 1, and no second directory, which has the old thumbnail. */
function upright(block) {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const little = text(block, 0, 2) === "II";
  if (!little && text(block, 0, 2) !== "MM") return null;
  const directory = view.getUint32(4, little);
  const count = view.getUint16(directory, little);
  for (let at = directory + 2; at < directory + 2 + 12 * count; at += 12) {
    if (view.getUint16(at, little) === ORIENTATION) view.setUint16(at + 8, 1, little);
  }
  view.setUint32(directory + 2 + 12 * count, 0, little);
  return block;
}

function text(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
