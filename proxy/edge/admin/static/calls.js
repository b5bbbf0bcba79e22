// The live tail: the last calls, newest first, and the state changes. Rows are made once and written anew.

import { byId, make, put, say, show, walkable } from "./parts.js";
import { hasFailed, millis, span } from "./words.js";

const KEPT = 1000;
const SHOWN = 100;
const SHOWN_CHANGES = 60;

const timeOf = (line) => new Date(line.ts).toLocaleTimeString([], { hour12: false });

class CallRow {
  constructor(open) {
    const cell = (kind) => (this[kind] = make("span", { class: kind }));
    this.button = make(
      "button",
      { type: "button", class: "row", tabindex: "-1" },
      cell("time"), cell("provider"), cell("method"), cell("path"), cell("status"), cell("why"), cell("tries"), cell("took"),
    );
    this.button.addEventListener("click", () => open(this.line));
    this.node = make("li", {}, this.button);
  }

  write(line) {
    if (this.line === line) return;
    this.line = line;
    say(this.time, timeOf(line));
    say(this.provider, line.account ? `${line.provider}/${line.account}` : line.provider);
    say(this.method, line.method);
    say(this.path, line.path);
    put(this.path, "title", line.path);
    say(this.status, line.status === null ? "–" : String(line.status));
    say(this.why, line.error || line.reason || (line.outcome === "ok" ? "" : line.outcome));
    say(this.tries, line.attempts > 1 ? `×${line.attempts}` : "");
    say(this.took, millis(line.duration_ms));
    put(this.button, "data-level", hasFailed(line) ? 2 : line.attempts > 1 ? 1 : 0);
  }
}

export class Calls {
  #lines = [];
  #rows = [];
  #paused = false;
  #over = false;
  #fresh = 0;
  #due = false;

  constructor(open) {
    this.open = open;
    this.list = byId("calls");
    this.provider = byId("calls-provider");
    this.text = byId("calls-text");
    this.failed = byId("calls-failed");
    this.reach = walkable(this.list, ".row");
    for (const [node, kind] of [[this.provider, "change"], [this.text, "input"], [this.failed, "change"]]) {
      node.addEventListener(kind, () => this.#write());
    }
    this.list.addEventListener("pointerenter", (event) => { this.#over = event.pointerType === "mouse"; });
    this.list.addEventListener("pointerleave", () => { this.#over = false; this.#soon(); });
    this.list.addEventListener("focusout", () => this.#soon());
    this.list.addEventListener("scroll", () => this.#soon(), { passive: true });
    byId("calls-pause").addEventListener("click", (event) => {
      this.#paused = !this.#paused;
      put(event.currentTarget, "aria-pressed", this.#paused);
      say(event.currentTarget, this.#paused ? "go on" : "pause");
      this.#soon();
    });
  }

  add(lines) {
    this.#lines.push(...lines);
    this.#lines.splice(0, this.#lines.length - KEPT);
    this.#fresh += lines.length;
    this.#soon();
  }

  // After a connection was lost the stream begins anew with lines that may be known.
  begin() {
    this.#lines = [];
  }

  nameProviders(names) {
    const known = [...this.provider.options].slice(1).map((option) => option.value);
    if (known.join() === names.join()) return;
    const chosen = this.provider.value;
    this.provider.replaceChildren(this.provider.options[0], ...names.map((name) => make("option", { value: name, text: name })));
    this.provider.value = names.includes(chosen) ? chosen : "";
  }

  only(provider) {
    this.provider.value = provider;
    this.#write();
    this.list.scrollIntoView({ block: "nearest" });
  }

  // Rows that somebody points at, walks through or has scrolled to stand still.
  get #held() {
    return this.#paused || this.#over || this.list.scrollTop > 0 || this.list.contains(document.activeElement);
  }

  #soon() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      if (!this.#held) this.#write();
      say(byId("calls-held"), this.#held && this.#fresh ? `standing still, ${this.#fresh} new` : "");
    });
  }

  #write() {
    this.#fresh = 0;
    const text = this.text.value.trim().toLowerCase();
    const fits = (line) =>
      (!this.provider.value || line.provider === this.provider.value || line.provider.startsWith(`${this.provider.value}/`)) &&
      (!this.failed.checked || hasFailed(line)) &&
      (!text || [line.method, line.path, line.status, line.reason, line.error, line.request_id].join(" ").toLowerCase().includes(text));
    const chosen = [];
    for (let at = this.#lines.length - 1; at >= 0 && chosen.length < SHOWN; at -= 1) {
      if (fits(this.#lines[at])) chosen.push(this.#lines[at]);
    }
    while (this.#rows.length < chosen.length) {
      const row = new CallRow(this.open);
      this.#rows.push(row);
      this.list.append(row.node);
    }
    this.#rows.forEach((row, place) => {
      show(row.node, place < chosen.length);
      if (place < chosen.length) row.write(chosen[place]);
    });
    show(byId("no-calls"), chosen.length === 0);
    say(byId("no-calls"), this.#lines.length ? "No call fits the filter." : "No calls yet.");
    this.reach();
  }
}

const whose = (line) => [line.provider, line.account].filter(Boolean).join("/");

const TOLD = {
  breaker_changed: (line) => `breaker ${line.old} → ${line.new}: ${line.why}${line.until_s ? `, probe in ${span(line.until_s)}` : ""}`,
  pause_started: (line) => `paused for ${span(line.seconds)}: ${line.why}`,
  retry_denied: (line) => `no further attempt: ${line.why}`,
  retry_scheduled: (line) => `attempt ${line.attempt} follows in ${span(line.wait_s)}: ${line.cause}`,
  would_refuse: (line) => `${line.section} would have refused: ${line.reason}`,
  secret_read: (line) => `secret ${line.ref} ${line.result}${line.problem ? `: ${line.problem}` : ""}`,
  credential_held: (line) => `credential held for ${span(line.seconds)} after ${line.refusals} refusals`,
  token_fetched: (line) => `token ${line.result}${line.problem ? `: ${line.problem}` : ""}`,
  config_read: (line) => `configuration ${line.result}${line.problems?.length ? `: ${line.problems.join("; ")}` : ""}`,
  acted: (line) => `operator at ${line.peer}: ${line.action || "an action"} ${line.result}${line.problem ? `: ${line.problem}` : ""}`,
  request_refused: (line) => `a request was refused: ${line.reason}`,
  drain_started: (line) => `drain began with ${line.in_flight} in flight`,
};

const plain = ({ ts: _ts, level: _level, event, ...rest }) =>
  [event, ...Object.entries(rest).map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`)].join(" ");

export class Changes {
  #known = false;

  constructor() {
    this.list = byId("changes");
  }

  begin() {
    this.list.replaceChildren();
  }

  add(lines) {
    for (const line of lines) {
      const text = TOLD[line.event]?.(line) ?? plain(line);
      const name = make("b", { text: whose(line) });
      const time = make("time", { text: timeOf(line), datetime: line.ts });
      this.list.prepend(make("li", { "data-severity": line.level }, time, " ", name, " ", text));
    }
    while (this.list.childElementCount > SHOWN_CHANGES) this.list.lastElementChild.remove();
    show(byId("no-changes"), this.list.childElementCount === 0);
  }
}
