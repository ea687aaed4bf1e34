// Takes the pictures that the documents show, of a tenant with a plant's devices, of which some are
// connected.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { browser, opened, signIn } from "./browser.mjs";
import { client, published } from "./clients.mjs";
import { Hands } from "./hands.mjs";
import { small } from "./png.mjs";

const { CLIENTS, FINGERPRINT, FIRST_CODE, PICTURES } = process.env;

/** So wide that what is done stands beside what is shown. */
const WIDTH = 1280;

const SHOWN = {
  find: "/find?tenant=plant",
  create: "/create",
  credential: "/credentials/pump-1@plant",
  connected: "/connected?tenant=plant",
  refused: "/refused?tenant=plant",
  bans: "/bans",
  why: "/why?name=pump-1%40plant&check=publish&topic=plant%2Fpump-1%2Fstate",
  connectivity: "/connectivity?tenant=plant",
  tenants: "/tenants",
  tenant: "/tenants/plant",
  roles: "/roles?tenant=plant",
  role: "/roles/plant/telemetry",
  operators: "/operators",
  operator: "/operators/bridge",
  applications: "/applications?tenant=plant",
  application: "/applications/plant/portal",
  things: "/things?tenant=plant",
  schemes: "/schemes",
  scheme: "/schemes/impact",
  authorities: "/authorities",
  authority: `/authorities/${FINGERPRINT}`,
  issuers: "/issuers",
  issuer: "/issuers/plant-sso",
  people: "/people",
  person: "/people/jane@plant.example",
  tokens: "/tokens",
  jwts: "/jwts?tenant=plant",
  keys: "/jwts/keys?tenant=plant",
  brokers: "/brokers",
  "other-brokers": "/other-brokers",
  followers: "/followers",
  follower: "/followers/hall-4",
  settings: "/settings",
  me: "/me",
  audit: "/audit?tenant=plant",
};

// Some are refused, others connected while pictures are taken.
for (const name of ["pump-7@plant", "valve-4@plant", "pump-7@plant"]) await published(name, "wrong", { topic: "plant/x" });
const clients = Object.entries(JSON.parse(CLIENTS)).map(([name, secret]) => client(name, secret, "plant/x"));

const shotIn = (dark) => async (page, name) => {
  writeFileSync(join(PICTURES, `${name}${dark ? "-dark" : ""}.png`), small(await page.screenshot()));
};

for (const dark of [false, true]) {
  const page = await opened({ dark, width: WIDTH });
  const hands = new Hands(page, { keyboard: false, scripts: true, width: WIDTH });
  await hands.open("/first");
  await shotIn(dark)(page, "first");
  // With the code, that there is somebody meanwhile is seen, and nobody is asked for any more.
  const said = { code: FIRST_CODE, email: "joe", password: "correct horse battery" };
  if (dark) await hands.send("main form", said, { told: "there is a user already" });
  await page.context().close();
}

for (const dark of [false, true]) {
  const shot = shotIn(dark);
  const page = await opened({ dark, width: WIDTH });
  await page.goto(`${process.env.CONSOLE}/sign-in`);
  await shot(page, "sign-in");
  await signIn(page);
  await page.waitForURL("**/find");
  const state = await page.context().storageState();
  for (const [name, path] of Object.entries(SHOWN)) {
    await page.goto(`${process.env.CONSOLE}${path}`);
    if (name === "connected") await page.getByText("Live", { exact: true }).waitFor();
    await shot(page, name);
  }
  const hands = new Hands(page, { keyboard: false, scripts: true, width: WIDTH });
  await hands.open("/find?tenant=plant&q=pump");
  await hands.send("form#many", { act: "suspend", all: "yes" }, { told: "nothing is changed yet" });
  await shot(page, "many");
  // Of one that is not connected.
  await hands.open("/credentials/pump-7@plant");
  await hands.press(page.locator("summary", { hasText: "Rotate the secret" }));
  await hands.press(page.getByRole("button", { name: "Rotate the secret" }));
  await page.getByRole("dialog").waitFor();
  await shot(page, "secret");
  await hands.close();
  await page.context().close();
  const phone = await opened({ state, dark, width: 360 });
  await phone.goto(`${process.env.CONSOLE}${SHOWN.connected}`);
  await phone.getByText("Live", { exact: true }).waitFor();
  await shot(phone, "phone");
  await phone.context().close();
}
for (const it of clients) it.kill("SIGTERM");
await browser.close();
