// What the drawer shows of a provider, and of the process. Each view is made once, and written while it is open.

import { Actions, ProviderActions } from "./actions.js";
import { Facts, block, factsOf } from "./facts.js";
import { Bar, Spark, make, put, say, show } from "./parts.js";
import { breakerOf, budgetText, burningOf, clock, exactPercent, known, legsOf, percent, seconds, span, times } from "./words.js";

class Objective {
  constructor() {
    this.title = make("p");
    this.bar = new Bar();
    this.text = make("p", { class: "dim" });
    this.burns = make("p", { class: "burns dim" });
    this.node = make("li", {}, this.title, this.bar.node, this.text, this.burns);
  }

  write(one) {
    const what = one.slo === "latency" ? `${one.percentile} % begin within ${seconds(one.under_s)}` : `${exactPercent(one.objective)} succeed`;
    say(this.title, one.path ? `${one.path}: ${what}` : what);
    const left = one.budget_remaining;
    this.bar.set(left, known(left) ? (left <= 0 ? 2 : left < 0.25 ? 1 : 0) : 0);
    const counted = `${one.good} of ${one.events} good in ${span(one.seen_s)}`;
    say(this.text, one.events ? `budget ${budgetText(left)}; ${counted}` : "no calls yet");
    const burns = Object.entries(one.burn ?? {});
    const raised = burningOf(one);
    while (this.burns.childElementCount < burns.length) this.burns.append(make("span"), " ");
    burns.forEach(([over, rate], place) => {
      const node = this.burns.children[place];
      say(node, `${over} ${times(rate)}`);
      put(node, "data-level", Math.max(0, ...raised.filter((alert) => alert.over.includes(over)).map((alert) => alert.level)));
    });
  }
}

export class ProviderView {
  #legs = new Map();
  #objectives = [];
  #readTs = null;

  constructor(link, name, tail) {
    this.link = link;
    this.title = this.name = name;
    this.key = `provider ${name}`;
    this.spark = new Spark(60);
    this.about = new Facts();
    this.latency = new Facts();
    this.slo = make("ul", { class: "objectives" });
    this.live = make("div");
    this.actions = new ProviderActions(link);
    this.stack = make("table", { class: "stack" });
    this.actionBlock = block("Actions", this.actions.node);
    this.sloBlock = block("Objectives", this.slo);
    const only = make("button", { type: "button", text: "show its calls" });
    only.addEventListener("click", () => tail(name));
    this.node = make(
      "div", {},
      block("Latency, up to a quarter of an hour", this.spark.node, this.latency.node, only),
      this.sloBlock, this.actionBlock, block("Now", this.live),
      block("Reached", this.about.node), block("Stack, outside in", this.stack),
    );
  }

  write(state) {
    const provider = state.providers.find((one) => one.name === this.name);
    if (!provider) return false;
    const { latency = {}, slo = [] } = provider;
    const under = slo.find((one) => one.slo === "latency" && !one.path)?.under_s ?? null;
    this.spark.set(latency.series ?? [], state.now_ts, under);
    const breaker = breakerOf(provider);
    this.latency.set([
      ["p50 / p95 / p99", [latency.p50_s, latency.p95_s, latency.p99_s].map(seconds).join(" / ")],
      ["failed", percent(latency.failed)],
      ["breaker", [breaker.text, breaker.note].filter(Boolean).join(", ")],
    ]);
    this.about.set([
      ["upstream", provider.base_url], ["callers use", (provider.addresses ?? []).join(", ")],
      ["status page", provider.status_page || "–"],
    ]);
    show(this.sloBlock, slo.length > 0);
    while (this.#objectives.length < slo.length) this.#objectives.push(new Objective());
    slo.forEach((one, place) => this.#objectives[place].write(one));
    if (this.slo.childElementCount !== slo.length) this.slo.replaceChildren(...this.#objectives.slice(0, slo.length).map((one) => one.node));
    show(this.actionBlock, Boolean(state.actions));
    this.actions.write(provider);
    this.#writeLegs(provider);
    if (this.#readTs !== state.config.read_ts) {
      this.#readTs = state.config.read_ts;
      this.#readStack();
    }
    return true;
  }

  #writeLegs(provider) {
    const legs = legsOf(provider);
    for (const [account, sections] of legs) {
      if (!this.#legs.has(account)) {
        const facts = new Facts();
        this.#legs.set(account, facts);
        this.live.append(...(account ? [make("h4", { text: `account ${account}` })] : []), facts.node);
      }
      this.#legs.get(account).set(factsOf(sections));
    }
  }

  async #readStack() {
    try {
      const { rows } = await this.link.ask(`/api/stack/${encodeURIComponent(this.name)}`);
      this.stack.replaceChildren(...rows.map(([label, value, origin]) => {
        const inner = label.startsWith("  ");
        const cells = [make("th", { scope: "row", text: label.trim() }), make("td", { text: value }), make("td", { class: "dim", text: origin })];
        return make("tr", { class: inner ? "inner" : "section" }, ...cells);
      }));
    } catch (error) {
      this.stack.replaceChildren(make("caption", { text: error.told ?? "can't be read" }));
    }
  }
}

export class ProcessView {
  key = "process";
  title = "The process";

  constructor(link) {
    this.facts = new Facts();
    this.actions = new Actions(link);
    this.level = make("select", { "aria-label": "log level" });
    const levels = [["as the file says", ""], ...["debug", "info", "warning", "error"].map((name) => [name, name])];
    this.level.append(...levels.map(([text, value]) => make("option", { text, value })));
    this.actions.node.append(
      make("div", {}, make("span", { text: "configuration" }), this.actions.button("reload", () => ({ action: "reload" }))),
      make("div", {}, make("span", { text: "log level" }), this.level,
        this.actions.button("set", () => ({ action: "log.level", value: this.level.value }))),
      make("div", {}, make("span", { text: "process" }), this.actions.button("drain", () => ({ action: "drain" }))),
      this.actions.said,
    );
    this.actionBlock = block("Actions", this.actions.node);
    this.none = make("p", { class: "dim", text: "There are actions here once admin.token is configured." });
    this.node = make("div", {}, block("Now", this.facts.node), this.actionBlock, this.none);
  }

  write(state) {
    this.facts.set([
      ["version", state.version], ["started", clock(state.started_ts)], ["up for", span(state.now_ts - state.started_ts)],
      ["ready", state.ready ? "yes" : state.readiness.join("; ")], ["connections", String(state.connections ?? "–")],
      ["configuration", state.config.file], ["read", clock(state.config.read_ts)],
      ["log level", state.log?.level ?? "–"], ["log lines dropped", String(state.log?.dropped ?? 0)],
    ]);
    show(this.actionBlock, Boolean(state.actions));
    show(this.none, !state.actions);
    return true;
  }
}
