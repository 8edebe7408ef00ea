// The quiz. DATA: model, data, quiz (id), exposure (ms), practice (pairs), key, photos (the masked pairs).

const Z95 = 1.959963984540054; // the normal distribution's 97.5 % point
const PAUSE = Math.min(400, DATA.exposure); // ms of empty frames before each photo
const SIDES = ["first", "second"];

/** Wilson's score interval of a share, 95 %: [low, high]. Wilson 1927. */
function wilson(hits, count) {
  const share = hits / count, z2 = Z95 * Z95;
  const middle = (share + z2 / (2 * count)) / (1 + z2 / count);
  const half = (Z95 / (1 + z2 / count)) * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count * count));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** The pairs: a list of { name, real, generated }, the photos as URLs. The masking is undone here (report/quiz.py). */
function unmask() {
  const text = atob(DATA.photos), bytes = new Uint8Array(text.length);
  for (let n = 0; n < bytes.length; n++) {
    bytes[n] = text.charCodeAt(n) ^ (Math.imul(n + DATA.key, 2654435761) >>> 24);
  }
  const length = new DataView(bytes.buffer).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  return header.map((pair) => {
    const urls = pair.sizes.map((size) => {
      at += size;
      return URL.createObjectURL(new Blob([bytes.subarray(at - size, at)], { type: "image/jpeg" }));
    });
    return { name: pair.name, real: urls[pair.real], generated: urls[1 - pair.real] };
  });
}

function shuffled(items) {
  const list = [...items];
  for (let n = list.length - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1));
    [list[n], list[other]] = [list[other], list[n]];
  }
  return list;
}

const PAIRS = unmask();
const frames = [...document.querySelectorAll(".frame")];
let trials = [], answers = [], turn = 0, answer = null, goOn = null;

function show(section) {
  for (const name of ["welcome", "trial", "result"]) byId(name).hidden = name !== section;
}

/** Wait for so many milliseconds of shown frames; resolves with the time that really passed. */
function waitFrames(ms) {
  return new Promise((resolve) => {
    let began = null;
    const look = (now) => {
      began ??= now;
      // Half a frame early: the photo would otherwise stay for one frame more.
      if (now - began >= ms - 8) resolve(now - began);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

async function expose(frame, url) {
  const image = make("img", { src: url, alt: "" });
  await image.decode(); // ready before its second begins
  await waitFrames(PAUSE);
  frame.replaceChildren(image);
  const shown = await waitFrames(DATA.exposure);
  frame.replaceChildren();
  return Math.round(shown);
}

function say(text, kind = "") {
  byId("message").textContent = text;
  byId("message").className = kind;
}

function ask() {
  return new Promise((resolve) => {
    frames.forEach((frame, side) => {
      frame.replaceChildren(make("span", {}, String(side + 1)));
      frame.disabled = false;
    });
    say("Which one was real?");
    answer = (side) => {
      answer = null;
      for (const frame of frames) frame.disabled = true;
      resolve(side);
    };
  });
}

function pressOn(label) {
  byId("next").textContent = label;
  byId("next").hidden = false;
  byId("next").focus();
  return new Promise((resolve) => {
    goOn = () => {
      goOn = null;
      byId("next").hidden = true;
      resolve();
    };
  });
}

async function runTrial(trial, practice) {
  const side = trial.realSide;
  const urls = side === 0 ? [trial.real, trial.generated] : [trial.generated, trial.real];
  for (const frame of frames) {
    frame.disabled = true;
    frame.replaceChildren();
  }
  say("");
  const exposures = [await expose(frames[0], urls[0]), await expose(frames[1], urls[1])];
  const asked = performance.now();
  const chosen = await ask();
  if (practice) {
    const right = chosen === side;
    say(`${right ? "Right" : "Wrong"}: the ${SIDES[side]} was real.`, right ? "right" : "wrong");
    frames.forEach((frame, n) => frame.replaceChildren(make("img", { src: urls[n], alt: n === side ? "real" : "generated" })));
    await pressOn("Go on");
    return;
  }
  answers.push({
    photo: trial.name, real: SIDES[side], chosen: SIDES[chosen], fooled: chosen !== side,
    seconds: Math.round(performance.now() - asked) / 1000, exposures_ms: exposures, pair: trial,
  });
}

async function run() {
  answers = [];
  const real = shuffled(PAIRS.map((_, n) => n % 2)); // each place equally often
  const order = [...shuffled(PAIRS.slice(0, DATA.practice)), ...shuffled(PAIRS.slice(DATA.practice))];
  trials = order.map((pair, n) => ({ ...pair, realSide: real[n] }));
  show("trial");
  for (turn = 0; turn < trials.length; turn++) {
    const practice = turn < DATA.practice;
    if (turn === DATA.practice && turn > 0) {
      frames.forEach((frame) => frame.replaceChildren());
      byId("counter").textContent = "";
      say("That was the practice. From here on you are not told whether you were right.");
      await pressOn("Start");
    }
    byId("counter").textContent = practice
      ? `Practice ${turn + 1} of ${DATA.practice}`
      : `${turn + 1 - DATA.practice} of ${trials.length - DATA.practice}`;
    await runTrial(trials[turn], practice);
  }
  finish();
}

const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;

/** The JSON that is saved, and added again by "the results of others". */
function results() {
  const fooled = answers.filter((given) => given.fooled).length;
  return {
    format: "keras-colorize quiz", quiz: DATA.quiz, model: DATA.model, data: DATA.data,
    exposure_ms: DATA.exposure, finished: new Date().toISOString(), trials: answers.length, fooled,
    fooling_rate: fooled / answers.length, interval_95: wilson(fooled, answers.length),
    answers: answers.map(({ pair, ...given }) => given),
  };
}

function drawScale(rate, [low, high]) {
  const x = (share) => 400 * share;
  const tick = (share, text) => [
    makeSvg("line", { x1: x(share), x2: x(share), y1: 10, y2: 26, stroke: "var(--line)" }),
    makeSvg("text", { x: x(share), y: 40 }, text),
  ];
  byId("scale").setAttribute("aria-label", `${percent(rate)}, interval ${percent(low)} to ${percent(high)}`);
  byId("scale").replaceChildren(
    ...tick(0, "0 %"), ...tick(0.5, "50 %: nobody can tell"), ...tick(1, "100 %"),
    makeSvg("line", { x1: 0, x2: 400, y1: 18, y2: 18, stroke: "var(--line)" }),
    makeSvg("line", { x1: x(low), x2: x(high), y1: 18, y2: 18, stroke: "currentColor", "stroke-width": 3 }),
    makeSvg("circle", { cx: x(rate), cy: 18, r: 6, fill: "currentColor" }),
  );
}

function finish() {
  const { fooling_rate: rate, interval_95: interval, fooled, trials: count } = results();
  byId("rate").textContent = percent(rate);
  const [low, high] = interval;
  const meaning = low <= 0.5 && high >= 0.5
    ? "the interval holds 50 %, so this alone does not show that you can tell them apart."
    : high < 0.5
      ? "you tell them apart better than by guessing."
      : "you took the generated colours for the real ones more often than guessing would.";
  byId("verdict").textContent =
    `In ${fooled} of ${count} pairs you took the generated colours for the real ones` +
    ` (95 % interval ${percent(low)} to ${percent(high)}): ${meaning}`;
  drawScale(rate, interval);
  byId("answers").replaceChildren(...answers.map((given) => make("tr", {},
    make("td", {}, given.photo),
    make("td", {}, make("img", { src: given.pair.real, alt: "real" })),
    make("td", {}, make("img", { src: given.pair.generated, alt: "generated" })),
    make("td", { class: given.fooled ? "wrong" : "right" }, given.fooled ? "generated" : "real"),
    make("td", {}, `${given.seconds.toFixed(1)} s`),
  )));
  byId("pooled").hidden = true;
  show("result");
}

/** A field of CSV; one that a spreadsheet would take for a formula gets a quote before it. */
function csvField(value) {
  const text = String(value).replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function resultsCsv() {
  const columns = ["photo", "real", "chosen", "fooled", "seconds"];
  const rows = answers.map((given) => columns.map((column) => csvField(given[column])));
  return [columns, ...rows].map((row) => row.join(",")).join("\r\n") + "\r\n";
}

/** Pool this session with saved ones of the same quiz. */
async function addOthers(files) {
  let fooled = answers.filter((given) => given.fooled).length, count = answers.length, people = 1;
  const refused = [];
  for (const file of files) {
    let other = null;
    try {
      other = JSON.parse(await file.text());
    } catch { /* refused below */ }
    if (other?.quiz === DATA.quiz && other.trials > 0 && other.fooled >= 0 && other.fooled <= other.trials) {
      [fooled, count, people] = [fooled + other.fooled, count + other.trials, people + 1];
    } else refused.push(file.name);
  }
  const [low, high] = wilson(fooled, count);
  byId("pooled").textContent =
    `Together with ${people - 1} saved: ${fooled} of ${count} pairs, fooling rate ${percent(fooled / count, 1)}` +
    ` (95 % interval ${percent(low, 1)} to ${percent(high, 1)}, as if all answers were independent).` +
    (refused.length ? ` Not results of this quiz: ${refused.join(", ")}.` : "");
  byId("pooled").hidden = false;
}

addEventListener("keydown", (event) => {
  const side = { 1: 0, ArrowLeft: 0, ArrowUp: 0, 2: 1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (answer && side !== undefined) {
    event.preventDefault();
    answer(side);
  }
});
frames.forEach((frame, side) => frame.addEventListener("click", () => answer?.(side)));
byId("next").addEventListener("click", () => goOn?.());
byId("begin").addEventListener("click", run);
byId("again").addEventListener("click", run);
byId("save-json").addEventListener("click", () =>
  download(`quiz-${DATA.quiz}.json`, "application/json", JSON.stringify(results(), null, 2)));
byId("save-csv").addEventListener("click", () => download(`quiz-${DATA.quiz}.csv`, "text/csv", resultsCsv()));
byId("others").addEventListener("change", (event) => addOthers(event.target.files));

const tested = PAIRS.length - DATA.practice;
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const minutes = Math.ceil((tested * (2 * (DATA.exposure + PAUSE) + 1500)) / 60000);
byId("exposure").textContent = DATA.exposure === 1000 ? "one second" : `${DATA.exposure / 1000} seconds`;
byId("plan").textContent =
  (DATA.practice ? `First comes practice, ${plural(DATA.practice, "pair")}, where you are told whether you were right. ` : "") +
  `What counts is ${plural(tested, "pair")} and takes about ${plural(minutes, "minute")}.`;
byId("about").textContent = `Model ${DATA.model}; photos ${DATA.data}; quiz ${DATA.quiz}.`;
show("welcome");
byId("begin").focus();
