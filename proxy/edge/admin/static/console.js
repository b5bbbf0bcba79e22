// The page: puts what comes over the link where it belongs, and keeps the drawer, the banners and the keys.

import { CallView } from "./anatomy.js";
import { Calls, Changes } from "./calls.js";
import { ProcessView, ProviderView } from "./detail.js";
import { Link } from "./link.js";
import { Providers } from "./providers.js";
import { byId, put, say, sayList, show } from "./parts.js";
import { count, percent } from "./words.js";

const THEMES = ["auto", "light", "dark"];

class Drawer {
  #view = null;
  #from = null;

  constructor(told) {
    this.told = told;
    this.node = byId("drawer");
    byId("drawer-close").addEventListener("click", () => this.close());
  }

  open(view) {
    if (this.#view?.key === view.key) return this.close();
    if (!this.node.contains(document.activeElement)) this.#from = document.activeElement;
    this.#view = view;
    say(byId("drawer-title"), view.title);
    byId("drawer-body").replaceChildren(view.node);
    show(this.node, true);
    document.body.classList.add("drawn");
    this.node.scrollTop = 0;
    this.node.focus({ preventScroll: true });
    this.told(view);
    if (latest) view.write(latest);
  }

  write(state) {
    if (this.#view && !this.#view.write(state)) this.close();
  }

  close() {
    if (!this.#view) return;
    this.#view = null;
    show(this.node, false);
    document.body.classList.remove("drawn");
    this.told(null);
    this.#from?.focus();
    this.#from = null;
  }
}

let latest = null;
const link = new Link({ state, calls: (lines) => calls.add(lines), changes: (lines) => changes.add(lines) }, lost);
const drawer = new Drawer((view) => providers.select(view?.name));
const calls = new Calls((line) => drawer.open(new CallView(link, line)));
const changes = new Changes();
const providers = new Providers((name) => drawer.open(new ProviderView(link, name, (only) => calls.only(only))));

function state(told) {
  latest = told;
  say(byId("version"), told.version);
  const standing = told.draining ? "draining" : told.ready ? "ready" : "not ready";
  put(byId("status"), "data-level", told.draining ? 1 : told.ready ? 0 : 2);
  say(byId("status-text"), standing);
  show(byId("draining"), told.draining);
  show(byId("not-ready"), !told.ready && !told.draining);
  sayList(byId("not-ready").querySelector("ul"), told.readiness ?? []);
  show(byId("config"), told.config.problems.length > 0);
  sayList(byId("config").querySelector("ul"), told.config.problems);
  providers.write(told.providers, told.now_ts);
  calls.nameProviders(told.providers.map((provider) => provider.name).sort());
  total(told.providers);
  drawer.write(told);
}

function total(all) {
  const sum = (pick) => all.reduce((before, one) => before + (pick(one) ?? 0), 0);
  const rate = sum((one) => one.latency?.rate);
  const failed = sum((one) => (one.latency?.rate ?? 0) * (one.latency?.failed ?? 0));
  say(byId("total-rate"), count(rate));
  say(byId("total-failed"), percent(rate ? failed / rate : null));
  say(byId("total-in-flight"), count(sum((one) => one.sections?.bulkhead?.in_flight)));
  say(byId("total-trouble"), `${providers.inTrouble} of ${all.length}`);
  put(byId("total-trouble"), "data-level", providers.inTrouble ? 1 : 0);
}

function lost(text) {
  if (!text && byId("lost").hidden) return;
  if (!text) {
    calls.begin();
    changes.begin();
  }
  say(byId("lost-text"), text);
  show(byId("lost"), Boolean(text));
  document.body.classList.toggle("stale", Boolean(text));
  if (text) {
    put(byId("status"), "data-level", 2);
    say(byId("status-text"), "not connected");
  }
}

function wear(theme) {
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset.theme = theme;
  say(byId("theme"), `theme: ${theme}`);
}

// A browser that keeps nothing for this site throws.
function remembered(theme) {
  try {
    if (theme) localStorage.setItem("theme", theme);
    return THEMES.find((one) => one === localStorage.getItem("theme")) ?? "auto";
  } catch {
    return theme ?? "auto";
  }
}

let theme = remembered();
wear(theme);
byId("theme").addEventListener("click", () => {
  theme = remembered(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  wear(theme);
});
byId("lost-retry").addEventListener("click", () => link.retry());
byId("status").addEventListener("click", () => drawer.open(new ProcessView(link)));
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input, select, textarea");
  if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("filter").focus();
  } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    if (event.target === byId("filter") && byId("filter").value) return; // the browser empties it
    drawer.close();
  }
});
link.run();
