// Mouse, touch, pen and keys on the photo, turned into what they mean.

const CLICK = 6; // pixels that a finger may move in a click
const STEP = 0.02; // of the photo's longer side, that an arrow key moves the cross
const PAN = 60;

/**
 * Listen to the canvas.
 *
 * does: {tool(), place(place), strokeStart(place), strokeOn(place), strokeEnd(), peek(on), drop the cross…}
 */
export class Gestures {
  #view;
  #canvas;
  #cross;
  #does;
  #fingers = new Map(); // pointers that are down: id → {x, y}
  #start = null; // of the first one
  #moved = false;
  #painting = false;
  #crossAt = null;

  constructor(view, canvas, cross, does) {
    [this.#view, this.#canvas, this.#cross, this.#does] = [view, canvas, cross, does];
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event, true));
    canvas.addEventListener("dblclick", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => (cross.hidden = true));
  }

  /** Put the cross of the keyboard where it belongs after the photo has moved. */
  follow() {
    if (this.#crossAt) {
      const { x, y } = this.#view.onStage(this.#crossAt);
      this.#cross.style.transform = `translate(${x}px, ${y}px)`;
    }
  }

  /** Forget the cross: another photo is shown. */
  reset() {
    this.#crossAt = null;
    this.#cross.hidden = true;
  }

  #down(event) {
    if (event.button > 1) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#canvas.focus({ preventScroll: true, focusVisible: false });
    this.#cross.hidden = true;
    this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#fingers.size > 1) {
      this.#moved = true;
      if (this.#painting) this.#does.strokeEnd(true);
      this.#painting = false;
      return;
    }
    this.#start = { x: event.clientX, y: event.clientY };
    this.#moved = event.button === 1;
    if (this.#does.tool() === "brush" && event.button === 0) {
      const place = this.#view.placeAt(event.clientX, event.clientY);
      this.#painting = Boolean(place) && this.#does.strokeStart(place);
    }
  }

  #move(event) {
    const last = this.#fingers.get(event.pointerId);
    if (!last) return;
    const before = [...this.#fingers.values()].map((finger) => ({ ...finger }));
    const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
    Object.assign(last, { x: event.clientX, y: event.clientY });
    if (this.#painting) {
      for (const part of event.getCoalescedEvents?.() ?? [event]) {
        const place = this.#view.placeAt(part.clientX, part.clientY);
        if (place) this.#does.strokeOn(place);
      }
      return;
    }
    if (this.#fingers.size === 2) {
      const after = [...this.#fingers.values()];
      const [middleBefore, middleAfter] = [middle(before), middle(after)];
      this.#view.pan(middleAfter.x - middleBefore.x, middleAfter.y - middleBefore.y);
      this.#view.zoom(distance(after) / Math.max(distance(before), 1), middleAfter.x, middleAfter.y);
      return;
    }
    if (!this.#moved && Math.hypot(event.clientX - this.#start.x, event.clientY - this.#start.y) > CLICK) {
      this.#moved = true;
      this.#canvas.classList.add("panning");
    }
    if (this.#moved) this.#view.pan(dx, dy);
  }

  #up(event, cancelled = false) {
    if (!this.#fingers.delete(event.pointerId)) return;
    this.#canvas.classList.remove("panning");
    if (this.#painting) {
      this.#painting = false;
      this.#does.strokeEnd(cancelled);
    } else if (!this.#moved && !cancelled && this.#does.tool() !== "brush") {
      const place = this.#view.placeAt(event.clientX, event.clientY);
      if (place) this.#does.place(place, event.pointerType);
      else this.#does.outside();
    }
    if (this.#fingers.size === 1) this.#moved = true; // the finger that is left goes on moving the photo
  }

  #wheel(event) {
    event.preventDefault();
    // Lines and pages count as so many pixels; a pinch on a touchpad comes as small steps with Ctrl.
    const unit = [1, 16, 400][event.deltaMode];
    const speed = event.ctrlKey ? 0.01 : 0.0016;
    this.#view.zoom(Math.exp(-event.deltaY * unit * speed), event.clientX, event.clientY);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const direction = arrows[event.key];
    if (direction && event.shiftKey) this.#view.pan(-PAN * direction[0], -PAN * direction[1]);
    else if (direction) this.#moveCross(...direction);
    else if (event.key === "Enter" || event.key === " ") {
      if (!this.#crossAt) this.#moveCross(0, 0);
      this.#does.place(this.#crossAt, "keyboard");
    } else return;
    event.preventDefault();
  }

  #moveCross(dx, dy) {
    const size = this.#does.size();
    if (!size) return;
    const step = STEP * Math.max(size.width, size.height);
    const at = this.#crossAt ?? { x: (size.width - 1) / 2 - dx * step, y: (size.height - 1) / 2 - dy * step };
    this.#crossAt = {
      x: Math.min(Math.max(at.x + dx * step, 0), size.width - 1),
      y: Math.min(Math.max(at.y + dy * step, 0), size.height - 1),
    };
    this.#cross.hidden = false;
    this.#view.reveal(this.#crossAt);
    this.follow();
    const share = (value, length) => Math.round((100 * value) / length);
    this.#does.say(`${share(this.#crossAt.x, size.width)} % from the left, ${share(this.#crossAt.y, size.height)} % from the top`);
  }
}

const middle = ([one, other]) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
const distance = ([one, other]) => Math.hypot(one.x - other.x, one.y - other.y);
