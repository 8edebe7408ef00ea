// Everything that computes, beside the page, which stays responsive meanwhile.
//
// in:  {id, ask, …}        out: {id, answer} or {id, error}: a sentence for the reader; {progress: [done, total]}
//
// A classic script, since the runtime loads its own parts by importScripts, which modules lack.

const OPEN = 3; // photos whose pixels are kept

const sessions = new Map(); // by the photo's number, the newest last
let parts; // the modules
let network;

const tasks = {
  async start({ threads }) {
    const [networks, photos, session, distribution, colors] = await Promise.all(
      ["network", "photo", "session", "distribution", "color"].map((name) => import(`./${name}.js`)),
    );
    parts = { ...photos, ...session, ...distribution, ...colors };
    network = await networks.Network.start(threads, (...progress) => self.postMessage({ progress }));
    const { name, hints, bins, size } = network.facts;
    return { name, hints, distribution: Boolean(bins), size, device: network.device };
  },

  async open({ photo, file, room }) {
    const opened = await parts.opened(file, network.facts, room);
    sessions.delete(photo);
    sessions.set(photo, new parts.Session(opened, network));
    if (sessions.size > OPEN) sessions.delete(sessions.keys().next().value);
    const { width, height, screen, thumbnail, colourful } = opened;
    const pixels = screen.rgba.slice();
    return [{ width, height, colourful, thumbnail, screen: { width: screen.width, height: screen.height, pixels } }, [thumbnail, pixels.buffer]];
  },

  async color({ photo, edit }) {
    const began = performance.now();
    const { pixels, closeUp } = await sessionOf(photo).colored(edit);
    const answer = { pixels, closeUp, milliseconds: performance.now() - began };
    return [answer, [pixels.buffer, ...(closeUp ? [closeUp.buffer] : [])]];
  },

  async closeUp({ photo, place, edit }) {
    const session = sessionOf(photo);
    session.closeUp = place && (await parts.closeUp(session.photo, place));
    if (!place) return null;
    const before = session.closeUp.rgba.slice();
    const { closeUp } = await session.colored(edit);
    return [{ before, after: closeUp }, [before.buffer, closeUp.buffer]];
  },

  suggest: ({ photo, x, y, edit, count }) => sessionOf(photo).suggestions(x, y, edit, count),

  async version({ photo, edit, seed, taken }) {
    const answer = await sessionOf(photo).version(edit, randomNumbers(seed), taken);
    return [answer, [answer.pixels.buffer]];
  },

  /** The colours of another photo: {shift} for this one. */
  async reference({ photo, file }) {
    const { screen } = await parts.opened(file, network.facts, { width: 256, height: 256 });
    const target = parts.classShares(screen.rgba, network.facts);
    const { output } = await sessionOf(photo).answer([]);
    return { shift: parts.shiftTowards(target, output, network.facts) };
  },

  async save({ photo, edit, type }) {
    const session = sessionOf(photo);
    return parts.saved(session.photo, await session.lines(edit), type);
  },

  async compare({ photo, edit }) {
    const session = sessionOf(photo);
    return parts.compared(session.photo, await session.lines(edit));
  },

  close: ({ photo }) => sessions.delete(photo),
};

self.onmessage = async ({ data }) => {
  try {
    const answer = await tasks[data.ask](data);
    const [value, transfer] = Array.isArray(answer) ? answer : [answer, []];
    self.postMessage({ id: data.id, answer: value }, transfer);
  } catch (error) {
    self.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) });
  }
};

function sessionOf(photo) {
  const session = sessions.get(photo);
  if (!session) throw new Error("closed");
  sessions.delete(photo);
  sessions.set(photo, session);
  return session;
}

/** Numbers in [0, 1) that a seed determines (mulberry32). */
function randomNumbers(seed) {
  let state = (seed * 0x9e3779b9) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
