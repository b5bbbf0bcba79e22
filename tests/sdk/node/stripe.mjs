import Stripe from "stripe";
import { outcome, tell } from "./tell.mjs";

const client = eval(process.argv[2]);
const made = await client.customers.create({ email: "captain@example.com", name: "Grüße & Co" });
const pages = await client.customers.list({ limit: 1 }).autoPagingToArray({ limit: 9 });
const declined = await outcome(client.charges.create({ amount: 500, currency: "eur", source: "tok_visa" }));
const limited = await outcome(client.customers.retrieve("cus_1"));
const held = await outcome(client.customers.retrieve("cus_1"));
tell({ made: made.id, pages: pages.map((one) => one.id), declined: declined.code, limited: limited.statusCode, held: held.statusCode });
