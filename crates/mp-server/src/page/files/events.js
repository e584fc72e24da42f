// Server-sent events over fetch, which can send a token in a header.

/** Finds the events in the pieces of a response. */
export class EventParser {
  #rest = "";

  /** Returns the events that `text` completes: `{ name, data }`. */
  push(text) {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map(parse).filter((event) => event !== null);
  }
}

function parse(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [field, value] = split(line);
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  // Comments keep the connection open.
  return data.length === 0 ? null : { name, data: data.join("\n") };
}

function split(line) {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}

/** Times between attempts to connect, in milliseconds. The last one repeats. */
const PAUSES = [500, 1000, 2000, 5000];
/** Time without any byte after which the connection counts as lost, in milliseconds. */
const SILENCE = 20_000;

/**
 * A stream of events that connects again when it is lost.
 *
 * Handlers: `opened()` at each connection, `event(name, data)`, `lost(error)`, and `refused(error)`
 * if the server refuses the request: the stream has ended then.
 */
export class Stream {
  #abort = new AbortController();

  constructor(open, handlers) {
    this.#run(open, handlers);
  }

  /** Ends the stream. No handler is called any more. */
  close() {
    this.#abort.abort();
  }

  async #run(open, handlers) {
    const { signal } = this.#abort;
    for (let failures = 0; !signal.aborted; failures += 1) {
      let error;
      try {
        const body = await open(signal);
        handlers.opened();
        failures = 0;
        await read(body, signal, handlers);
        error = new Error("the server has closed the connection");
      } catch (caught) {
        error = caught;
      }
      if (signal.aborted) return;
      if (error.isFinal) {
        handlers.refused(error);
        return;
      }
      handlers.lost(error);
      await pause(PAUSES[Math.min(failures, PAUSES.length - 1)], signal);
    }
  }
}

async function read(body, signal, handlers) {
  const parser = new EventParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await within(SILENCE, reader.read());
    if (done || signal.aborted) return;
    for (const { name, data } of parser.push(value)) {
      if (signal.aborted) return;
      handlers.event(name, data);
    }
  }
}

/** Rejects if `promise` is not settled within a time. */
async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the server sends nothing")), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
