import { Octokit } from "@octokit/rest";
import { outcome, tell } from "./tell.mjs";

const client = eval(process.argv[2]);
const repository = { owner: "acme", repo: "tide" };
const issues = await client.paginate(client.rest.issues.listForRepo, { ...repository, per_page: 1 });
const made = await client.rest.issues.create({ ...repository, title: "It is wet", body: "Since 5 🌊" });
const missing = await outcome(client.rest.repos.get({ owner: "acme", repo: "none" }));
const refused = await outcome(client.rest.repos.get(repository));
tell({
  issues: issues.map((one) => one.number),
  made: made.data.number,
  missing: missing.response.data.message,
  refused: refused.status,
});
