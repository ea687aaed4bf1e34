// Takes the pictures that the documents show, of a tenant with a plant's devices, of which some are
// connected.

import { spawn } from "node:child_process";
import { join } from "node:path";

import { Hands } from "./hands.mjs";

const { BROKER_PORT, CLIENTS, PICTURES } = process.env;

const SHOWN = {
  find: "/find?tenant=plant",
  credential: "/credentials/pump-1@plant",
  connected: "/connected?tenant=plant",
  refused: "/refused?tenant=plant",
  why: "/why?name=pump-1%40plant&check=publish&topic=plant%2Fpump-1%2Fstate",
  tenant: "/tenants/plant",
  role: "/roles/plant/telemetry",
  applications: "/applications?tenant=plant",
  things: "/things?tenant=plant",
  issuer: "/issuers/plant-sso",
  jwts: "/jwts?tenant=plant",
  audit: "/audit?tenant=plant",
  settings: "/settings",
};

const started = (tool, name, secret) =>
  spawn(tool, ["-h", "127.0.0.1", "-p", BROKER_PORT, "-u", name, "-P", secret, "-i", name, "-t", "plant/x", ...(tool === "mosquitto_pub" ? ["-n"] : [])], { stdio: "ignore" });

/** Those that are connected while pictures are taken; others were refused. */
export const crowd = async () => {
  for (const name of ["pump-7@plant", "valve-4@plant", "pump-7@plant"]) {
    await new Promise((done) => started("mosquitto_pub", name, "wrong").on("exit", done));
  }
  return Object.entries(JSON.parse(CLIENTS)).map(([name, secret]) => started("mosquitto_sub", name, secret));
};

/** Takes them all, in a page that `opened` opens. */
export const pictures = async (opened, { state, dark }) => {
  const shot = (page, name) => page.screenshot({ path: join(PICTURES, `${name}${dark ? "-dark" : ""}.png`) });
  const page = await opened({ state, dark, width: 1200 });
  for (const [name, path] of Object.entries(SHOWN)) {
    await page.goto(`${process.env.CONSOLE}${path}`);
    if (name === "connected") await page.getByText("Live", { exact: true }).waitFor();
    await shot(page, name);
  }
  const hands = new Hands(page, { keyboard: false, scripts: true, width: 1200 });
  await hands.open("/find?tenant=plant&q=pump");
  await hands.send("form#many", { act: "suspend", all: "yes" }, { told: "nothing is changed yet" });
  await shot(page, "many");
  await page.context().close();
  const phone = await opened({ state, dark, width: 360 });
  await phone.goto(`${process.env.CONSOLE}${SHOWN.connected}`);
  await phone.getByText("Live", { exact: true }).waitFor();
  await shot(phone, "phone");
  await phone.context().close();
};
