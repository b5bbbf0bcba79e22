// How figures are written, and what counts as trouble. Nothing here touches the page.

const NONE = "–";

export const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

export function millis(ms) {
  if (!known(ms)) return NONE;
  if (ms > 0 && ms < 0.995) return `${ms.toFixed(2)} ms`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export const seconds = (s) => (known(s) ? millis(s * 1000) : NONE);

export function percent(ratio) {
  if (!known(ratio)) return NONE;
  const value = ratio * 100;
  if (value !== 0 && Math.abs(value) < 0.1) return value > 0 ? "< 0.1 %" : "> −0.1 %";
  const digits = Math.abs(value) < 9.95 && value !== 0 ? 1 : 0;
  return `${value.toFixed(digits).replace("-", "−")} %`;
}

// An objective keeps its nines: 99.95 % is not 100 %.
export const exactPercent = (ratio) => `${Number((ratio * 100).toFixed(6))} %`;

export function count(value) {
  if (!known(value)) return NONE;
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toString() : value.toFixed(1);
}

export function span(s) {
  if (!known(s)) return NONE;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (s >= 2 * size) return `${Math.floor(s / size)} ${unit}`;
  }
  return `${Math.round(s)} s`;
}

export const clock = (ts) => new Date(ts * 1000).toLocaleString();
export const times = (value) => (known(value) ? `${value >= 10 ? Math.round(value) : value.toFixed(1)}×` : NONE);

// One entry per leg: the provider's own, then those of its accounts.
export function legsOf(provider) {
  const { accounts = {}, ...own } = provider.sections ?? {};
  return [["", own], ...Object.entries(accounts)];
}

export function overridesOf(provider) {
  const found = [];
  for (const [account, sections] of legsOf(provider)) {
    for (const [section, state] of Object.entries(sections)) {
      const forced = state?.forced ?? state?.override;
      if (forced) found.push([`${section} ${forced}`, account].filter(Boolean).join(", account "));
    }
  }
  return found;
}

const worst = (legs, section, rank) =>
  legs.map(([, sections]) => sections[section]).filter(Boolean).sort((a, b) => rank(b) - rank(a))[0];

const OPENNESS = { closed: 0, half_open: 1, open: 2 };

export function breakerOf(provider) {
  const state = worst(legsOf(provider), "breaker", (one) => OPENNESS[one.forced ?? one.state] ?? 0);
  if (!state) return { level: 0, text: "off", note: "", state: "off" };
  const now = state.forced ?? state.state;
  const texts = { closed: "closed", open: "open", half_open: "half-open" };
  const next = state.opens_for_s > 0 ? `probe in ${span(state.opens_for_s)}` : "the next call probes";
  const note = state.forced ? "by operator" : now === "open" ? next : "";
  return { level: OPENNESS[now] ?? 0, text: texts[now] ?? String(now), note, state: now };
}

export function limiterOf(provider) {
  const found = { fill: null, limit: "", waiting: 0, paused: 0, held: false };
  for (const [, { rate_limit: state }] of legsOf(provider)) {
    if (!state) continue;
    found.waiting += state.waiting ?? 0;
    found.paused = Math.max(found.paused, state.paused_s ?? 0);
    found.held ||= Boolean(state.held);
    for (const { limit, tokens, burst } of state.limits ?? []) {
      const fill = Math.max(0, Math.min(1, tokens / burst));
      if (found.fill === null || fill < found.fill) Object.assign(found, { fill, limit });
    }
  }
  return found;
}

const EXPIRES_SOON_S = 86400; // a certificate or signed token that nobody renews; fetched tokens are renewed by themselves

function ageOf(state, now) {
  const since = Math.max(0, ...(state.secrets ?? []).map((secret) => secret.since_ts ?? 0)); // the one changed last
  return since > 0 ? `, ${span(Math.max(0, now - since))} old` : "";
}

function credentialOfLeg(state, upstream, now) {
  const problem = state.secrets?.find((secret) => !secret.loaded);
  if (problem) return { level: 2, text: "secret missing", why: `${problem.ref}: ${problem.problem}` };
  const held = Math.max(0, ...(state.live ?? []).map((one) => one.held_s ?? 0));
  if (held > 0) return { level: 2, text: `held ${span(held)}`, why: "the provider refuses the credential" };
  if (state.token_problem) return { level: 1, text: "renewal fails", why: state.token_problem };
  const stale = state.secrets?.find((secret) => secret.problem);
  if (stale) return { level: 1, text: "not re-read", why: `${stale.ref}: ${stale.problem}` };
  const end = Math.min(state.expires_ts ?? Infinity, upstream?.certificate_expires_ts ?? Infinity);
  if (end === Infinity) return { level: 0, text: `${state.scheme ?? "ok"}${ageOf(state, now)}`, why: "" };
  const soon = !state.token && end - now < EXPIRES_SOON_S;
  return { level: end <= now ? 2 : soon ? 1 : 0, text: end <= now ? "expired" : `${span(end - now)} left`, why: "" };
}

export function credentialOf(provider, now) {
  const told = legsOf(provider)
    .filter(([, sections]) => sections.credential)
    .map(([, sections]) => credentialOfLeg(sections.credential, sections.upstream, now));
  return told.sort((a, b) => b.level - a.level)[0] ?? { level: 0, text: "none", why: "" };
}

export function budgetOf(provider) {
  const seen = (provider.slo ?? []).filter((one) => known(one.budget_remaining));
  const left = seen.length ? Math.min(...seen.map((one) => one.budget_remaining)) : null;
  const burn = Math.max(0, ...(provider.slo ?? []).flatMap((one) => Object.values(one.burn ?? {}).filter(known)));
  return { left, burn, any: Boolean(provider.slo?.length) };
}

// As the alerts have them: a share of the budget within the long window, and still so within the short one.
const BURNS = [["1h", "5m", 0.02 / 3600, 2], ["6h", "30m", 0.05 / 21600, 2], ["3d", "6h", 0.1 / 259200, 1]];
const MONTH_S = 2592000;

// The windows over which an objective's budget burns so fast that an alert is raised.
export function burningOf({ burn = {}, window_s: window = MONTH_S }) {
  const raised = ([long, short, share]) => Math.min(burn[long] ?? 0, burn[short] ?? 0) >= Math.max(1, share * window);
  return BURNS.filter(raised).map(([long, short, , level]) => ({ level, over: [long, short], rate: burn[long] }));
}

// What is left, or how many times over it has been spent.
export const budgetText = (left) => (left <= 0 && known(left) ? `spent ${times(1 - left)}` : `${percent(left)} left`);

const MUCH_FAILS = 0.05;

// level: 0 all is well, 1 worth a look, 2 calls fail or will.
export function troubleOf(provider, now) {
  const reasons = [];
  const add = (level, text) => level && reasons.push({ level, text });
  const breaker = breakerOf(provider);
  const limiter = limiterOf(provider);
  const credential = credentialOf(provider, now);
  const budget = budgetOf(provider);
  const failed = provider.latency?.failed;
  add(breaker.level, `breaker ${breaker.text}`);
  add(credential.level, `credential: ${credential.text}`);
  add(limiter.paused > 0 || limiter.held ? 2 : 0, limiter.held ? "quota used up" : `paused for ${span(limiter.paused)}`);
  add(failed > MUCH_FAILS ? 2 : 0, `${percent(failed)} of the calls fail`);
  add(known(budget.left) && budget.left <= 0 ? 2 : 0, "error budget overspent");
  const burning = (provider.slo ?? []).flatMap(burningOf).sort((a, b) => b.level - a.level || b.rate - a.rate);
  add(burning[0]?.level, `the budget burns ${times(burning[0]?.rate)} over ${burning[0]?.over[0]}`);
  add(limiter.waiting ? 1 : 0, `${limiter.waiting} wait for the limiter`);
  add(provider.sections?.bulkhead?.queued ? 1 : 0, `${provider.sections?.bulkhead?.queued} queue for a place`);
  for (const override of overridesOf(provider)) add(1, `operator: ${override}`);
  return { level: Math.max(0, ...reasons.map((one) => one.level)), reasons: reasons.map((one) => one.text) };
}

const BAD = new Set(["failed", "throttled", "unauthorised", "exhausted"]);

export const hasFailed = (call) => Boolean(call.reason || call.error || BAD.has(call.outcome));
