// What an operator may do, as buttons; the dangerous ones ask first.

import { asked, byId, make, put, say } from "./parts.js";

const RISKS = {
  "breaker.open": (provider) => `Every call to ${provider} is refused until breaker.auto or breaker.close.`,
  drain: () => "Readiness fails, calls in flight end, and the process exits as on SIGTERM.",
};

// Buttons; what came of the last one stands below.
export class Actions {
  constructor(link) {
    this.link = link;
    this.said = make("p", { class: "said", role: "status" });
    this.node = make("div", { class: "actions" });
  }

  button(label, order) {
    const node = make("button", { type: "button", text: label, "data-action": order().action });
    node.addEventListener("click", () => this.act(order(), node));
    return node;
  }

  async act(order, node) {
    const risk = RISKS[order.action]?.(order.provider);
    if (risk !== undefined) {
      say(byId("confirm-title"), `${order.action}${order.provider ? ` of ${order.provider}` : ""}?`);
      say(byId("confirm-text"), risk);
      if ((await asked(byId("confirm"))) === null) return;
    }
    node.disabled = true;
    try {
      const done = await this.link.act(order);
      this.#say(done ?? "Not done: no token was given.", done === null ? 1 : 0);
    } catch (error) {
      this.#say(`Not done: ${error.told ?? "the sidecar does not answer"}`, 2);
    } finally {
      node.disabled = false;
      node.focus();
    }
  }

  #say(text, level) {
    say(this.said, text);
    put(this.said, "data-level", level);
  }
}

export class ProviderActions extends Actions {
  #shape = "";

  write(provider) {
    const legs = { "": provider.actions ?? {}, ...provider.account_actions };
    const shape = JSON.stringify(legs);
    if (shape === this.#shape) return;
    this.#shape = shape;
    const groups = Object.entries(legs).flatMap(([account, sections]) =>
      Object.entries(sections).map(([section, names]) => {
        const order = (name) => () => ({ action: `${section}.${name}`, provider: provider.name, ...(account && { account }) });
        const label = [section, account].filter(Boolean).join(", account ");
        return make("div", {}, make("span", { text: label }), ...names.map((name) => this.button(name, order(name))));
      }),
    );
    this.node.replaceChildren(...groups, this.said);
  }
}
