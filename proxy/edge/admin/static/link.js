// The one connection to the sidecar: the stream, questions, actions, and the token they may need.

import { asked, byId, say } from "./parts.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
const HIDDEN_MS = 30_000; // nobody looks at a hidden page for longer: the stream ends until somebody does
const SILENT_MS = 6_000; // the state comes every second

export class Link {
  #token = ""; // in memory only
  #asking = null;
  #stop = null;
  #wake = () => {};
  #retry = () => {};

  // on: what to do with each event's data, by its name; lost: called with a sentence, or "" when all is well again.
  constructor(on, lost) {
    this.on = on;
    this.lost = lost;
    let leaving = 0;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(leaving);
      if (document.hidden) leaving = setTimeout(() => this.#stop?.abort("hidden"), HIDDEN_MS);
      else this.#wake();
    });
  }

  async run() {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      if (document.hidden) await new Promise((resolve) => { this.#wake = resolve; });
      try {
        const answer = await this.#streamed();
        if (answer === "read") wait = FIRST_WAIT_MS / 2;
        await this.#pause(wait);
      } catch (error) {
        this.lost(error.told ?? "The sidecar does not answer. Trying again…");
        await this.#pause(error.status === 401 ? null : wait); // whoever gave no token is not asked again and again
      }
    }
  }

  // Ends a pause between two attempts.
  retry() {
    this.#retry();
  }

  #pause(ms) {
    return new Promise((resolve) => {
      this.#retry = resolve;
      if (ms !== null) setTimeout(resolve, ms);
    });
  }

  async #streamed() {
    const stop = (this.#stop = new AbortController());
    const answer = await this.#fetch("/api/stream", { signal: stop.signal });
    if (!answer.ok) throw await problemOf(answer);
    let timer = 0;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort("silent"), SILENT_MS);
    };
    let read = "";
    try {
      for (const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
        watch();
        const { value, done } = await reader.read();
        if (done) break;
        const events = (read + value).split("\n\n");
        read = events.pop();
        events.forEach((event) => this.#take(event));
      }
    } finally {
      clearTimeout(timer);
    }
    this.lost("The connection to the sidecar has ended. Trying again…");
    return "read";
  }

  #take(event) {
    const [, name, data] = event.match(/^event: (\w+)\ndata: (.*)$/s) ?? [];
    if (name === undefined) return;
    this.lost("");
    this.on[name]?.(JSON.parse(data));
  }

  // Returns the JSON of a page. Throws an error whose `told` is for people.
  async ask(path) {
    const answer = await this.#fetch(path);
    if (!answer.ok) throw await problemOf(answer);
    return answer.json();
  }

  // Does an action, and asks for the token as long as none is right. Returns what was done, null when nobody gave one.
  async act(order) {
    if (!this.#token && !(await this.#askForToken("Actions ask for the token of admin.token."))) return null;
    const body = JSON.stringify(order);
    const headers = { "Content-Type": "application/json" };
    const answer = await this.#fetch("/api/actions", { method: "POST", headers, body });
    if (!answer.ok) throw await problemOf(answer);
    return (await answer.json()).done;
  }

  async #fetch(path, settings = {}) {
    for (let again = false; ; again = true) {
      const token = this.#token;
      const headers = { ...settings.headers, ...(token && { Authorization: `Bearer ${token}` }) };
      const answer = await fetch(path, { cache: "no-store", credentials: "omit", ...settings, headers });
      if (answer.status !== 401) return answer;
      const problem = await problemOf(answer);
      if (token === this.#token) this.#token = "";
      problem.told = "This asks for the token of admin.token.";
      const why = token || again ? "That was refused: it is not the token of admin.token, or that can't be read." : problem.told;
      if (!this.#token && !(await this.#askForToken(why))) throw problem;
    }
  }

  // One dialog, however many ask.
  async #askForToken(why) {
    say(byId("token-why"), why);
    this.#asking ??= asked(byId("token")).finally(() => { this.#asking = null; });
    const token = await this.#asking;
    if (token) this.#token = token;
    return Boolean(token);
  }
}

async function problemOf(answer) {
  let told = `The sidecar answered ${answer.status}.`;
  try {
    const problem = await answer.json();
    told = problem.detail || problem.title || told;
  } catch { /* no problem document: the status has to do */ }
  return Object.assign(new Error(told), { told, status: answer.status });
}
