// Small pieces of page. Text goes in through textContent only: what a log line holds is a stranger's.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(tag, settings = {}, ...children) {
  const { text, dataset, ...attributes } = settings;
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  Object.assign(node.dataset, dataset);
  if (text !== undefined) node.textContent = text;
  node.append(...children);
  return node;
}

export function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Writing what already stands there would still cost a layout, and a screen reader's attention.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function put(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

export function sayList(list, texts) {
  if (list.childElementCount === texts.length && texts.every((text, place) => list.children[place].textContent === text)) return;
  list.replaceChildren(...texts.map((text) => make("li", { text })));
}

// A bar whose fill is a share from 0 to 1; null leaves it empty.
export class Bar {
  constructor() {
    this.fill = draw("rect", { class: "fill", height: 6, rx: 1 });
    this.node = draw(
      "svg",
      { class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
      draw("rect", { class: "track", width: 100, height: 6, rx: 1 }),
      this.fill,
    );
  }

  set(share, level = 0) {
    put(this.fill, "width", share === null ? 0 : Math.max(0, Math.min(1, share)) * 100);
    put(this.node, "data-level", level);
  }
}

const NARROW_S = 120;
const WIDE_S = 900;
const [TS, CALLS, FAILED, P50, P95, P99] = [0, 1, 2, 3, 4, 5];

// The last quarter of an hour, or what there is of it: p50 to p99 as a band, p95 as a line, failures as bars from below.
export class Spark {
  constructor(height = 24) {
    this.height = height;
    this.band = draw("path", { class: "band" });
    this.line = draw("path", { class: "line" });
    this.bars = draw("path", { class: "bars" });
    this.under = draw("path", { class: "under" });
    this.node = draw(
      "svg",
      { class: "sparkline", viewBox: `0 0 100 ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      this.band, this.bars, this.under, this.line,
    );
    this.drawn = "";
  }

  // series: points as /api/state tells them. under: seconds of the latency objective, or null.
  set(series, now, under = null) {
    const points = series.filter((point) => point[CALLS] > 0);
    const last = points.at(-1);
    const fresh = `${Math.floor(now / 10)} ${points.length} ${last?.[TS]}`;
    if (fresh === this.drawn) return;
    this.drawn = fresh;
    const most = Math.max(0.001, ...points.map((point) => point[P99] ?? 0));
    const top = under !== null && under < 2 * most ? Math.max(most, under * 1.05) : most;
    const wide = Math.min(WIDE_S, Math.max(NARROW_S, now - (points[0]?.[TS] ?? now)));
    const x = (point) => Math.max(0, 100 - ((now - point[TS]) / wide) * 100).toFixed(2);
    const y = (value) => (this.height - 1 - ((value ?? 0) / top) * (this.height - 3)).toFixed(2);
    const path = (chosen) => chosen.join("L");
    const upper = points.map((point) => `${x(point)} ${y(point[P99])}`);
    const lower = points.map((point) => `${x(point)} ${y(point[P50])}`).reverse();
    put(this.band, "d", points.length ? `M${path([...upper, ...lower])}Z` : "");
    put(this.line, "d", points.length ? `M${path(points.map((point) => `${x(point)} ${y(point[P95])}`))}` : "");
    const failing = points.filter((point) => point[FAILED] > 0);
    const tall = (point) => Math.max(3, (point[FAILED] / point[CALLS]) * (this.height - 2)).toFixed(2);
    put(this.bars, "d", failing.map((point) => `M${x(point)} ${this.height}v-${tall(point)}`).join(""));
    put(this.under, "d", under !== null && under < 2 * most ? `M0 ${y(under)}H100` : "");
  }
}

// A list in which the arrows move, and one row at a time is reached by Tab.
export function walkable(list, selector) {
  const rows = () => [...list.querySelectorAll(selector)].filter((row) => row.offsetParent !== null);
  const choose = (row) => {
    for (const other of list.querySelectorAll(`${selector}[tabindex="0"]`)) other.tabIndex = -1;
    row.tabIndex = 0;
  };
  list.addEventListener("focusin", (event) => {
    const row = event.target.closest(selector);
    if (row) choose(row);
  });
  list.addEventListener("keydown", (event) => {
    const all = rows();
    const at = all.indexOf(event.target.closest(selector));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all[to]) return;
    event.preventDefault();
    all[to].focus();
  });
  // Somebody has to be reachable when the one that was is hidden or gone.
  return () => {
    const all = rows();
    if (all.length && !all.some((row) => row.tabIndex === 0)) choose(all[0]);
  };
}

// Asks in a dialog; resolves to the text of its field ("" where it has none), or null when it was cancelled.
export function asked(dialog) {
  const form = dialog.querySelector("form");
  const field = dialog.querySelector("input");
  return new Promise((resolve) => {
    const done = new AbortController();
    const end = (answer) => {
      done.abort();
      if (field) field.value = "";
      dialog.close();
      resolve(answer);
    };
    const listen = (node, kind, act) => node.addEventListener(kind, act, { signal: done.signal });
    listen(form, "submit", (event) => {
      event.preventDefault();
      end(field ? field.value.trim() : "");
    });
    listen(dialog, "cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    listen(dialog.querySelector('[data-answer="no"]'), "click", () => end(null));
    dialog.showModal();
  });
}
