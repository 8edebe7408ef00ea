// The photo on the screen: where it lies, how large it is, and which part of it is shown as it came.
// Places are in pixels of the photo, from the middle of its top left pixel; stage coordinates in CSS pixels.

const LARGEST = 12; // CSS pixels to a pixel of the photo
const SCREEN_PIXELS = 2.6e6; // of the picture that every edit colours again
const CRISP = 1.15; // a close-up comes when a pixel of the picture covers more pixels of the screen than this
const MARGIN = 20;

export class View {
  #stage;
  #canvas;
  #divider;
  #changed;
  #photo = null; // {width, height}
  #before = new OffscreenCanvas(1, 1);
  #after = new OffscreenCanvas(1, 1);
  #closeUp = null; // {left, top, width, height, before, after}
  #left = 0;
  #top = 0;
  #fitted = true;
  #drawing = 0;

  scale = 1; // CSS pixels to a pixel of the photo
  split = 0; // share of the visible photo that is shown as it came
  peeking = false; // all of it

  /** changed: called when the photo has moved. */
  constructor(stage, canvas, divider, changed) {
    [this.#stage, this.#canvas, this.#divider, this.#changed] = [stage, canvas, divider, changed];
    new ResizeObserver(() => this.#resize()).observe(stage);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get density() {
    return Math.min(devicePixelRatio || 1, 2);
  }

  /** The coloured photo at the screen's size. */
  get picture() {
    return this.#after;
  }

  /** The pixels of the screen that a photo may fill. */
  get room() {
    const [width, height] = [this.#stage.clientWidth, this.#stage.clientHeight].map((length) => Math.max(length * this.density, 64));
    const factor = Math.min(1, Math.sqrt(SCREEN_PIXELS / (width * height)));
    return { width: Math.round(width * factor), height: Math.round(height * factor) };
  }

  /** Show a photo: {width, height, screen: {width, height, pixels}}; it stays grey until `color` is called. */
  show(photo) {
    this.#photo = photo && { width: photo.width, height: photo.height };
    this.#closeUp = null;
    if (photo) {
      const { width, height, pixels } = photo.screen;
      for (const canvas of [this.#before, this.#after]) {
        [canvas.width, canvas.height] = [width, height];
        canvas.getContext("2d", { willReadFrequently: canvas === this.#after }).putImageData(new ImageData(pixels, width, height), 0, 0);
      }
      this.fit();
    }
    this.#divider.hidden = !photo;
    this.draw();
  }

  /** Show new colours: pixels of the screen's picture, and of the close-up where there is one. */
  color(pixels, closeUp) {
    const { width, height } = this.#after;
    if (pixels.length !== 4 * width * height) return; // of another photo
    this.#after.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
    if (closeUp && this.#closeUp) put(this.#closeUp.after, closeUp);
    this.draw();
  }

  /** Show part of the photo in its own pixels: {left, top, width, height, columns, rows} and its pixels, or nothing more. */
  showCloseUp(place, before, after) {
    this.#closeUp = place && { ...place, before: new OffscreenCanvas(place.columns, place.rows), after: new OffscreenCanvas(place.columns, place.rows) };
    if (place) {
      put(this.#closeUp.before, before);
      put(this.#closeUp.after, after);
    }
    this.draw();
  }

  /** The part of the photo that is worth a close-up now, or null. */
  get wantedCloseUp() {
    if (!this.#photo) return null;
    const { width, height } = this.#photo;
    const known = this.#after.width / width;
    if (known >= 1 || this.scale * this.density < CRISP * known) return null;
    const left = Math.max(0, Math.floor(-this.#left / this.scale));
    const top = Math.max(0, Math.floor(-this.#top / this.scale));
    const right = Math.min(width, Math.ceil((this.#stage.clientWidth - this.#left) / this.scale));
    const bottom = Math.min(height, Math.ceil((this.#stage.clientHeight - this.#top) / this.scale));
    if (right <= left || bottom <= top) return null;
    const density = Math.min(1, this.scale * this.density);
    const [columns, rows] = [right - left, bottom - top].map((length) => Math.max(1, Math.round(length * density)));
    return { left, top, width: right - left, height: bottom - top, columns, rows };
  }

  /** A place of the photo under a point of the window; null outside the photo. */
  placeAt(clientX, clientY) {
    const box = this.#stage.getBoundingClientRect();
    const x = (clientX - box.left - this.#left) / this.scale - 0.5;
    const y = (clientY - box.top - this.#top) / this.scale - 0.5;
    return this.contains(x, y) ? { x, y } : null;
  }

  contains(x, y) {
    return this.#photo !== null && x >= -0.5 && y >= -0.5 && x <= this.#photo.width - 0.5 && y <= this.#photo.height - 0.5;
  }

  /** Where a place of the photo lies on the stage. */
  onStage({ x, y }) {
    return { x: this.#left + (x + 0.5) * this.scale, y: this.#top + (y + 0.5) * this.scale };
  }

  /** The levels [r, g, b] that the coloured photo has at a place. */
  levelsAt({ x, y }) {
    const { width, height } = this.#after;
    const column = Math.min(Math.max(Math.floor(((x + 0.5) * width) / this.#photo.width), 0), width - 1);
    const row = Math.min(Math.max(Math.floor(((y + 0.5) * height) / this.#photo.height), 0), height - 1);
    return [...this.#after.getContext("2d").getImageData(column, row, 1, 1).data].slice(0, 3);
  }

  /** Show the whole photo, small ones at most at twice their size. */
  fit() {
    if (!this.#photo) return;
    this.scale = this.#fitScale;
    this.#left = (this.#stage.clientWidth - this.#photo.width * this.scale) / 2;
    this.#top = (this.#stage.clientHeight - this.#photo.height * this.scale) / 2;
    this.#fitted = true;
    this.#moved();
  }

  /** Zoom by a factor around a point of the window, or around the middle. */
  zoom(factor, clientX, clientY) {
    if (!this.#photo) return;
    const box = this.#stage.getBoundingClientRect();
    const x = clientX === undefined ? box.width / 2 : clientX - box.left;
    const y = clientY === undefined ? box.height / 2 : clientY - box.top;
    const scale = Math.min(Math.max(this.scale * factor, this.#fitScale), Math.max(LARGEST, this.#fitScale));
    this.#left = x - ((x - this.#left) * scale) / this.scale;
    this.#top = y - ((y - this.#top) * scale) / this.scale;
    this.scale = scale;
    this.#fitted = scale <= this.#fitScale * 1.001;
    if (this.#fitted) this.fit();
    else this.#moved();
  }

  pan(dx, dy) {
    this.#left += dx;
    this.#top += dy;
    this.#moved();
  }

  /** Move the photo so that a place is on the stage. */
  reveal(place) {
    const { x, y } = this.onStage(place);
    const inside = (value, length) => Math.min(Math.max(value, 40), length - 40) - value;
    this.pan(inside(x, this.#stage.clientWidth), inside(y, this.#stage.clientHeight));
  }

  get #fitScale() {
    const { width, height } = this.#photo;
    const margin = this.#stage.clientWidth < 600 ? 0 : MARGIN;
    const fits = Math.min((this.#stage.clientWidth - 2 * margin) / width, (this.#stage.clientHeight - 2 * margin) / height);
    return Math.max(Math.min(fits, 2), 1e-3);
  }

  #resize() {
    const [width, height] = [this.#stage.clientWidth, this.#stage.clientHeight];
    [this.#canvas.width, this.#canvas.height] = [width * this.density, height * this.density];
    if (this.#photo && this.#fitted) this.fit();
    else this.#moved();
    this.#paint(); // at once: a canvas that changed its size is empty
  }

  /** Keep the photo on the stage, and tell others. */
  #moved() {
    if (this.#photo) {
      this.#left = kept(this.#left, this.#photo.width * this.scale, this.#stage.clientWidth);
      this.#top = kept(this.#top, this.#photo.height * this.scale, this.#stage.clientHeight);
    }
    this.draw();
    this.#changed();
  }

  /** The part of the stage that the photo covers. */
  get visible() {
    const left = Math.max(0, this.#left);
    const right = Math.min(this.#stage.clientWidth, this.#left + (this.#photo?.width ?? 0) * this.scale);
    const top = Math.max(0, this.#top);
    const bottom = Math.min(this.#stage.clientHeight, this.#top + (this.#photo?.height ?? 0) * this.scale);
    return { left, right, top, bottom };
  }

  draw() {
    this.#drawing ||= requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const context = this.#canvas.getContext("2d");
    const density = this.density;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, this.#stage.clientWidth, this.#stage.clientHeight);
    if (!this.#photo) return;
    context.imageSmoothingEnabled = this.scale < 4;
    context.imageSmoothingQuality = "high";
    const { left, right, top, bottom } = this.visible;
    const middle = this.peeking ? right : left + this.split * (right - left);
    this.#layer(context, "after", middle, right);
    this.#layer(context, "before", left, middle);
    this.#stage.style.setProperty("--left", `${left}px`);
    this.#stage.style.setProperty("--right", `${this.#stage.clientWidth - right}px`);
    this.#stage.style.setProperty("--bottom", `${this.#stage.clientHeight - bottom}px`);
    this.#stage.dataset.photo = [left, top, right, bottom].join(" "); // for tests, and for pictures of the page
    this.#divider.style.transform = `translateX(${middle}px)`;
    this.#divider.style.top = `${top}px`;
    this.#divider.style.height = `${Math.max(0, bottom - top)}px`;
    this.#divider.classList.toggle("at-edge", this.split < 0.01);
  }

  #layer(context, name, from, to) {
    if (to <= from) return;
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, this.#stage.clientHeight);
    context.clip();
    const whole = name === "after" ? this.#after : this.#before;
    context.drawImage(whole, this.#left, this.#top, this.#photo.width * this.scale, this.#photo.height * this.scale);
    if (this.#closeUp) {
      const { left, top, width, height } = this.#closeUp;
      context.drawImage(this.#closeUp[name], this.#left + left * this.scale, this.#top + top * this.scale, width * this.scale, height * this.scale);
    }
    context.restore();
  }
}

function put(canvas, pixels) {
  if (pixels.length !== 4 * canvas.width * canvas.height) return; // of an older close-up
  canvas.getContext("2d").putImageData(new ImageData(pixels, canvas.width, canvas.height), 0, 0);
}

/** A position at which something of `length` covers the room, or is in the middle of it where it is shorter. */
function kept(start, length, room) {
  if (length <= room) return (room - length) / 2;
  return Math.min(Math.max(start, room - length), 0);
}
