// The anatomy of one call: where its time went, and why.

import { Facts, block } from "./facts.js";
import { draw, make, show } from "./parts.js";
import { hasFailed, millis } from "./words.js";

export class CallView {
  constructor(link, line) {
    this.line = line;
    this.key = `call ${line.request_id}`;
    this.title = `${line.method} ${line.path}`;
    this.falls = make("ol", { class: "waterfall" });
    this.told = make("ul", { class: "told" });
    this.facts = new Facts();
    this.toldBlock = block("What happened", this.told);
    const { provider, account, status, source, reason, error, outcome } = line;
    const became = [status ?? "no answer", error || reason || outcome, `by ${source}`].join(" ");
    const summary = make("p", { class: "summary", "data-level": hasFailed(line) ? 2 : 0, text: became });
    const whose = make("p", { text: `${[provider, account].filter(Boolean).join("/")}, ${millis(line.duration_ms)}, ${new Date(line.ts).toLocaleTimeString()}` });
    this.node = make("div", {}, make("section", { class: "block" }, summary, whose), block("Where the time went", this.falls), this.toldBlock, block("As logged", this.facts.node));
    this.#write({ call: line });
    link.ask(`/api/calls/${encodeURIComponent(line.request_id)}`).then((found) => this.#write(found), (error) => {
      this.falls.replaceChildren(make("li", { class: "dim", text: error.told ?? "can't be read" }));
    });
  }

  write() {
    return true;
  }

  #write({ call, waterfall = [], explanation = [] }) {
    const end = Math.max(call.duration_ms, ...waterfall.map((one) => one.at_ms + one.duration_ms)) || 1;
    this.falls.replaceChildren(...waterfall.map((one) => this.#step(one, end)));
    const notes = (call.notes ?? []).map((note) => `${millis(note.at_ms)} ${note.section}: ${note.text}`);
    const told = explanation.length ? explanation : notes;
    this.told.replaceChildren(...told.map((text) => make("li", { text })));
    show(this.toldBlock, told.length > 0);
    this.facts.set(Object.entries(call).filter(([key]) => key !== "notes").map(([key, value]) => {
      if (value !== null && typeof value === "object") return [key, JSON.stringify(value)];
      return [key.replace(/_ms$/, "").replaceAll("_", " "), key.endsWith("_ms") ? millis(value) : String(value ?? "–") || "–"];
    }));
  }

  #step({ label, kind, at_ms: at, duration_ms: took }, end) {
    const width = Math.max(0.6, (took / end) * 100);
    const x = Math.min((at / end) * 100, 100 - width);
    const bar = draw(
      "svg",
      { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      draw("rect", { class: "track", width: 100, height: 10 }),
      draw("rect", { class: `kind kind-${/^[a-z_]+$/.test(kind) ? kind : "own"}`, x, width, height: 10 }),
    );
    return make("li", {}, make("span", { text: label }), bar, make("span", { class: "n", text: millis(took) }));
  }
}
