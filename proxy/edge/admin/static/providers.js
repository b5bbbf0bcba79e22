// The list of providers: one row each, made once and written in place, trouble first.

import { Bar, Spark, byId, make, put, say, show, walkable } from "./parts.js";
import {
  breakerOf, budgetOf, budgetText, count, credentialOf, known, legsOf, limiterOf, overridesOf, percent, seconds, span, times, troubleOf,
} from "./words.js";

const STILL_MS = 3000; // rows do not change places under a pointer that moves

class Row {
  constructor(name, open) {
    this.cells = {};
    const cell = (kind, label, ...inside) => (this.cells[kind] = make("span", { class: kind, "data-label": label }, ...inside));
    this.spark = new Spark();
    this.budget = new Bar();
    this.limit = new Bar();
    this.host = make("small");
    this.flag = make("em", { class: "flag" });
    this.budgetText = make("span");
    this.note = make("small");
    this.chip = make("span", { class: "chip" });
    this.limitText = make("span");
    this.button = make(
      "button",
      { type: "button", class: "row", tabindex: "-1", dataset: { provider: name } },
      cell("name", "", make("b", { text: name }), this.flag, this.host),
      cell("spark", "", this.spark.node),
      cell("n p50", "p50"), cell("n p95", "p95"), cell("n p99", "p99"), cell("n rate", "calls/s"), cell("n failed", "failed"),
      cell("budget", "budget", this.budget.node, this.budgetText),
      cell("breaker", "breaker", this.chip, this.note),
      cell("limiter", "limiter", this.limit.node, this.limitText),
      cell("n flight", "in flight"), cell("n retry", "retries left"), cell("credential", "credential"),
    );
    this.button.addEventListener("click", () => open(name));
    this.node = make("li", {}, this.button);
  }

  write(provider, now) {
    this.provider = provider;
    this.trouble = troubleOf(provider, now);
    const { latency = {}, slo = [] } = provider;
    say(this.host, provider.base_url.replace(/^https:\/\//, ""));
    const overrides = overridesOf(provider);
    say(this.flag, `operator: ${overrides.join("; ")}`);
    show(this.flag, overrides.length > 0);
    const under = slo.find((one) => one.slo === "latency" && !one.path)?.under_s ?? null;
    this.spark.set(latency.series ?? [], now, under);
    const set = (kind, text, level = 0) => {
      say(this.cells[kind], text);
      put(this.cells[kind], "data-level", level);
    };
    set("n p50", seconds(latency.p50_s));
    set("n p95", seconds(latency.p95_s), under !== null && latency.p95_s > under ? 1 : 0);
    set("n p99", seconds(latency.p99_s));
    set("n rate", count(latency.rate));
    set("n failed", percent(latency.failed), latency.failed > 0.05 ? 2 : latency.failed > 0 ? 1 : 0);
    this.#writePolicies(provider, now, set);
    const why = this.trouble.reasons.join("; ");
    put(this.button, "data-level", this.trouble.level);
    put(this.button, "title", why);
    put(this.button, "aria-label", `${provider.name}: ${why || "no trouble"}; p95 ${seconds(latency.p95_s)}, ${count(latency.rate)} calls a second`);
  }

  #writePolicies(provider, now, set) {
    const budget = budgetOf(provider);
    const spent = budget.left <= 0;
    this.budget.set(budget.left, known(budget.left) ? (spent ? 2 : budget.left < 0.25 ? 1 : 0) : 0);
    const burn = !spent && budget.burn >= 1 ? `, burns ${times(budget.burn)}` : "";
    say(this.budgetText, budget.any ? (known(budget.left) ? budgetText(budget.left) + burn : "no calls yet") : "no objective");
    put(this.cells.budget, "data-level", spent && known(budget.left) ? 2 : 0);
    put(this.cells.budget, "data-off", !budget.any);
    const breaker = breakerOf(provider);
    say(this.chip, breaker.text);
    put(this.chip, "data-state", breaker.state);
    say(this.note, breaker.note);
    const limiter = limiterOf(provider);
    this.limit.set(limiter.fill, limiter.fill !== null && limiter.fill < 0.1 ? 1 : 0);
    const held = limiter.held ? "quota used up" : limiter.paused > 0 ? `paused ${span(limiter.paused)}` : "";
    const queue = limiter.waiting ? `${limiter.waiting} wait` : "";
    say(this.limitText, [held, queue].filter(Boolean).join(", ") || limiter.limit || "no limit");
    put(this.cells.limiter, "data-level", held ? 2 : queue ? 1 : 0);
    put(this.cells.limiter, "data-off", limiter.fill === null);
    const { in_flight: flight, queued } = provider.sections?.bulkhead ?? {};
    set("n flight", queued ? `${flight}+${queued}` : count(flight), queued ? 1 : 0);
    const tokens = legsOf(provider).map(([, one]) => one.retry?.budget_tokens).filter(known);
    set("n retry", tokens.length ? count(Math.floor(Math.min(...tokens))) : "–", tokens.some((one) => one < 1) ? 1 : 0);
    const credential = credentialOf(provider, now);
    set("credential", credential.text, credential.level);
  }
}

export class Providers {
  #rows = new Map();
  #moved = -Infinity;

  constructor(open) {
    this.open = open;
    this.list = byId("providers");
    this.filter = byId("filter");
    this.reach = walkable(this.list, ".row");
    this.filter.addEventListener("input", () => this.#sift());
    this.filter.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") this.list.querySelector('.row[tabindex="0"]')?.focus();
    });
    this.list.addEventListener("pointermove", () => { this.#moved = performance.now(); });
  }

  write(providers, now) {
    const names = new Set(providers.map((provider) => provider.name));
    for (const [name, row] of this.#rows) {
      if (!names.has(name)) {
        row.node.remove();
        this.#rows.delete(name);
      }
    }
    for (const provider of providers) {
      let row = this.#rows.get(provider.name);
      if (!row) {
        row = new Row(provider.name, this.open);
        this.#rows.set(provider.name, row);
        this.list.append(row.node);
        this.#moved = -Infinity;
      }
      row.write(provider, now);
    }
    this.#sort();
    this.#sift();
  }

  get inTrouble() {
    return [...this.#rows.values()].filter((row) => row.trouble.level > 0).length;
  }

  select(name) {
    for (const [own, row] of this.#rows) put(row.button, "aria-pressed", own === name);
  }

  focus(name) {
    (this.#rows.get(name)?.button ?? this.filter).focus();
  }

  #sort() {
    if (performance.now() - this.#moved < STILL_MS) return;
    const wanted = [...this.#rows.values()].sort(
      (a, b) => b.trouble.level - a.trouble.level || a.provider.name.localeCompare(b.provider.name),
    );
    if (wanted.every((row, place) => this.list.children[place] === row.node)) return;
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    this.list.append(...wanted.map((row) => row.node));
    focused?.focus({ preventScroll: true }); // a row that moves loses it
  }

  #sift() {
    const wanted = this.filter.value.trim().toLowerCase();
    let shown = 0;
    for (const row of this.#rows.values()) {
      const { name, title } = row.provider;
      const fits = `${name} ${title}`.toLowerCase().includes(wanted);
      show(row.node, fits);
      shown += fits;
    }
    show(byId("no-providers"), shown === 0);
    say(byId("no-providers"), this.#rows.size ? "No provider of that name." : "No providers are configured.");
    this.reach();
  }
}
