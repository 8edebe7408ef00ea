// The link to the worker: questions and answers, one question at a time.

export class Engine {
  #worker = new Worker("worker.js");
  #waiting = []; // questions that the worker does not have yet
  #current = null;
  #number = 0;

  constructor(report) {
    this.#worker.onmessage = ({ data }) => {
      if (data.progress) report(...data.progress);
      else this.#settle(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`The studio could not start: ${event.message || "a file is missing"}. Load the page again.`);
      for (const question of [this.#current, ...this.#waiting]) question?.reject(error);
      [this.#current, this.#waiting] = [null, []];
    };
  }

  /** Ask the worker; rejects with a sentence for the reader. */
  ask(what, details = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ what, details, resolve, reject });
      this.#next();
    });
  }

  /**
   * Ask for something of which only the newest counts, such as the picture while a slider moves: a question that still
   * waits is replaced, and answered with null.
   */
  askNewest(what, details) {
    return new Promise((resolve, reject) => {
      const before = this.#waiting.findIndex((question) => question.what === what && question.newest);
      const question = { what, details, resolve, reject, newest: true };
      if (before >= 0) this.#waiting.splice(before, 1)[0].resolve(null);
      // Before what takes longer, such as versions: somebody is waiting at the mouse.
      this.#waiting.unshift(question);
      this.#next();
    });
  }

  #next() {
    if (this.#current || !this.#waiting.length) return;
    this.#current = this.#waiting.shift();
    const { what, details } = this.#current;
    this.#worker.postMessage({ id: ++this.#number, ask: what, ...details });
  }

  #settle({ answer, error }) {
    const question = this.#current;
    this.#current = null;
    if (error === undefined) question.resolve(answer);
    else question.reject(new Error(error));
    this.#next();
  }
}
