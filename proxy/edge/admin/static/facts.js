// Lists of facts, as the drawer shows them.

import { make, say } from "./parts.js";
import { clock, percent, span } from "./words.js";

export const block = (title, ...inside) => make("section", { class: "block" }, make("h3", { text: title }), ...inside);

// A list of facts whose rows stay as long as their labels do.
export class Facts {
  node = make("dl", { class: "facts" });
  #labels = "";

  set(pairs) {
    const labels = JSON.stringify(pairs.map(([label]) => label));
    if (labels !== this.#labels) {
      this.#labels = labels;
      this.node.replaceChildren(...pairs.flatMap(([label]) => [make("dt", { text: label }), make("dd")]));
    }
    this.node.querySelectorAll("dd").forEach((node, place) => say(node, pairs[place][1]));
  }
}

const labelOf = (key) => key.replace(/_(s|ts)$/, "").replaceAll("_", " ");

function factText(key, value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return value === "" ? "–" : String(value);
  if (key.endsWith("_ts")) return clock(value);
  if (key.endsWith("_s")) return span(value);
  return key.endsWith("_ratio") ? percent(value) : String(Number(value.toFixed(2)));
}

function flat(label, value, into, own = label) {
  if (value === null || typeof value !== "object") into.push([label, factText(own, value ?? "")]);
  else for (const [key, inner] of Object.entries(value)) flat(`${label} ${labelOf(key)}`.trim(), inner, into, key);
  return into;
}

export function factsOf(sections) {
  const { rate_limit: limiter, ...rest } = sections;
  const { limits = [], ...others } = limiter ?? {};
  const counted = limits.map(({ limit, tokens, burst }) => [`rate limit ${limit}`, `${tokens.toFixed(1)} of ${burst.toFixed(0)} at once`]);
  return [...counted, ...flat("rate limit", others, []), ...flat("", rest, [])];
}
