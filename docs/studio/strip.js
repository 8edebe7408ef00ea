// The film strip: the photos that are open, one of them on the stage.

export class Strip {
  #list = document.getElementById("strip");
  #does;

  /** does: {select(photo), remove(photo)} */
  constructor(does) {
    this.#does = does;
    this.#list.addEventListener("keydown", (event) => {
      const items = [...this.#list.querySelectorAll(".film")];
      const at = items.indexOf(event.target);
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (at < 0) return;
      if (step) items[(at + step + items.length) % items.length].focus();
      else if (event.key === "Delete") event.target.nextElementSibling.click();
      else return;
      event.preventDefault();
    });
  }

  /** Show the photos; the strip appears with the second one. */
  show(photos, current) {
    const known = new Map([...this.#list.children].map((item) => [Number(item.dataset.photo), item]));
    this.#list.hidden = photos.length < 2;
    photos.forEach((photo, i) => {
      const item = known.get(photo.id) ?? this.#made(photo);
      known.delete(photo.id);
      if (this.#list.children[i] !== item) this.#list.insertBefore(item, this.#list.children[i] ?? null);
      const button = item.firstElementChild;
      button.setAttribute("aria-current", photo === current);
      button.dataset.status = photo.status;
      const status = { failed: ", did not open", waiting: "", opening: "", open: "" }[photo.status];
      button.setAttribute("aria-label", `Photo ${i + 1} of ${photos.length}: ${photo.name}${status}`);
      button.title = photo.name;
    });
    for (const item of known.values()) item.remove();
  }

  /** Draw a photo's small picture. */
  draw(photo, source) {
    const canvas = this.#list.querySelector(`[data-photo="${photo.id}"] canvas`);
    if (!canvas || !source?.width) return;
    const side = 2 * 64;
    [canvas.width, canvas.height] = [side, side];
    const scale = Math.max(side / source.width, side / source.height);
    const [width, height] = [source.width * scale, source.height * scale];
    canvas.getContext("2d").drawImage(source, (side - width) / 2, (side - height) / 2, width, height);
  }

  reveal(photo) {
    this.#list.querySelector(`[data-photo="${photo.id}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #made(photo) {
    const item = document.createElement("div");
    item.className = "frame";
    item.dataset.photo = photo.id;
    item.innerHTML =
      '<button type="button" class="film"><canvas></canvas></button>' +
      '<button type="button" class="film-remove" tabindex="-1"><svg><use href="#i-close" /></svg></button>';
    const [film, remove] = item.children;
    film.addEventListener("click", () => this.#does.select(photo));
    remove.setAttribute("aria-label", `Remove ${photo.name}`);
    remove.addEventListener("click", () => this.#does.remove(photo));
    return item;
  }
}
