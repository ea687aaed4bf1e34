// Walks through the console as people do: with a mouse, by keyboard alone, without scripts;
// dark and light, wide and narrow. Prints what it tried, and fails with the first that is wrong.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const env = process.env;
const require = createRequire(`${env.NODE_FOLDER}/`);
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const BASE = env.CONSOLE;
const HOSTILE = '<img src=x onerror=alert(1)> "\'` \u202e gnp 🦀';
const PASSWORD = "correct horse battery";
const ADA = "ada@mail.test";

const browser = await chromium.launch({ executablePath: env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });

const problems = [];

/** A browser window of its own, in which nothing may go wrong. */
const opened = async ({ scripts = true, dark = false, width = 1440, state } = {}) => {
  const context = await browser.newContext({
    javaScriptEnabled: scripts,
    colorScheme: dark ? "dark" : "light",
    viewport: { width, height: 900 },
    storageState: state,
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  // Answers that say what is wrong are pages, too.
  const isTold = (text) => /status of (401|403|404|409|412|422)/.test(text);
  page.on("console", (it) => it.type() === "error" && !isTold(it.text()) && problems.push(`${page.url()}: ${it.text()}`));
  page.on("pageerror", (it) => problems.push(`${page.url()}: ${it.message}`));
  page.on("dialog", (it) => problems.push(`${page.url()} opened a window: ${it.message()}`) && it.dismiss());
  page.on("request", (it) => it.url().startsWith(`${BASE}/`) || it.url() === BASE || problems.push(`asked elsewhere: ${it.url()}`));
  return page;
};

const step = async (name, run) => {
  const begun = Date.now();
  try {
    await run();
  } catch (error) {
    for (const page of browser.contexts().flatMap((it) => it.pages())) {
      console.log(`at ${page.url()}:\n${await page.innerText("body").catch(() => "")}`);
    }
    throw error;
  }
  assert.deepEqual(problems, [], name);
  console.log(`ok ${name} (${Date.now() - begun} ms)`);
};

const signIn = async (page, code = "") => {
  await page.goto(`${BASE}/sign-in`);
  await page.getByLabel("Name or e-mail address").fill(ADA);
  await page.getByLabel("Password").fill(PASSWORD);
  if (code) await page.getByLabel("Code of the second factor").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
};

/** Goes on by the tabulator until what is meant has the focus. */
const tabTo = async (page, selector) => {
  for (let count = 0; count < 120; count += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((it) => document.activeElement?.matches(it), selector)) return;
  }
  assert.fail(`${selector} can't be reached by keyboard on ${page.url()}`);
};

const copied = (page, what) => page.locator(`#copied-${what} code`).innerText();

/** A client that stays until its session ends. */
const client = (name, secret) => {
  const args = ["-h", "127.0.0.1", "-p", env.BROKER_PORT, "-u", name, "-P", secret, "-i", name, "-t", "acme/#", "-k", "5"];
  return spawn("mosquitto_sub", args, { stdio: "ignore" });
};

let state;
let secret;

await step("the first administrator is made with the printed code, by keyboard alone", async () => {
  const page = await opened();
  await page.goto(BASE);
  assert.match(page.url(), /\/first$/);
  await tabTo(page, "[name=code]");
  await page.keyboard.type(env.FIRST_CODE);
  await tabTo(page, "[name=email]");
  await page.keyboard.type(ADA);
  await tabTo(page, "[name=password]");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/sign-in");
  await tabTo(page, "[name=email]");
  await page.keyboard.type(ADA);
  await tabTo(page, "[name=password]");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/find");
  state = await page.context().storageState();
  await page.context().close();
});

await step("a new secret is shown once, in a dialog that asks before it closes", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/create`);
  await page.locator("[name=tenant]").fill("acme");
  await page.locator("[name=name]").fill("live");
  await page.getByRole("button", { name: "Make it" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  secret = await copied(page, "secret");
  assert.match(await copied(page, "command"), /^mosquitto_pub -h .* -u live@acme -P /);
  assert.equal(JSON.parse(await copied(page, "json")).secret, secret);
  const asks = page.getByText("Have you kept it?");
  assert.equal(await asks.isVisible(), false);
  await page.keyboard.press("Escape");
  await asks.waitFor();
  await page.getByRole("button", { name: "Go back to it" }).click();
  assert.equal(await asks.isVisible(), false);
  assert.equal(await copied(page, "secret"), secret);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Close it" }).click();
  await page.waitForURL("**/credentials/live@acme");
  const shows = async () => (await page.content()).includes(secret) || page.url().includes(secret);
  assert.equal(await shows(), false);
  await page.reload();
  assert.equal(await shows(), false);
  for (const move of ["goBack", "goForward", "goBack"]) {
    await page[move]();
    assert.equal(await shows(), false, move);
  }
  await page.context().close();
});

await step("without scripts the answer shows it, and neither loading again nor going back does", async () => {
  const page = await opened({ state, scripts: false });
  await page.goto(`${BASE}/credentials/dev1@acme`);
  await page.getByText("Rotate the secret", { exact: true }).first().click();
  await page.getByLabel("The old secret works for").selectOption("1h");
  await page.getByRole("button", { name: "Rotate the secret" }).click();
  const shown = await copied(page, "secret");
  await page.reload();
  assert.equal((await page.content()).includes(shown), false);
  await page.getByText("sent before").waitFor();
  await page.goBack();
  assert.equal((await page.content()).includes(shown), false);
  await page.context().close();
});

await step("who connects appears within a second, and vanishes within one", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/connected`);
  await page.getByText("Live", { exact: true }).waitFor();
  const row = page.locator("#clients tr", { hasText: "live@acme" });
  // The machine may be busy with something else, but hardly three times.
  const taken = [];
  const isQuick = () => taken.some((both) => both.every((it) => it < 1_000));
  while (taken.length < 3 && !isQuick()) {
    let begun = Date.now();
    const it = client("live@acme", secret);
    await row.waitFor();
    const appeared = Date.now() - begun;
    begun = Date.now();
    it.kill("SIGTERM");
    await row.waitFor({ state: "detached" });
    taken.push([appeared, Date.now() - begun]);
  }
  console.log(`it took ${taken.join("; ")} ms to appear and to vanish`);
  assert.ok(isQuick());
  const second = client("live@acme", secret);
  await row.waitFor();
  await row.getByRole("button", { name: "Kick" }).click();
  await page.getByText("Sessions that were ended: 1.").waitFor();
  await row.waitFor();
  await row.getByRole("checkbox").focus();
  await page.keyboard.press("Space");
  await tabTo(page, "#many button");
  await page.keyboard.press("Enter");
  await page.getByText("Sessions that were ended: 1.").waitFor();
  second.kill("SIGTERM");
  await page.context().close();
});

await step("acts are done and undone by keyboard alone", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/credentials/dev1@acme`);
  await tabTo(page, "details.act summary");
  await page.keyboard.press("Enter");
  await tabTo(page, "form[action$='/suspend'] button");
  await page.keyboard.press("Enter");
  await page.getByText("It is suspended.", { exact: true }).waitFor();
  await tabTo(page, ".notice button");
  await page.keyboard.press("Enter");
  await page.getByText("It is reactivated.", { exact: true }).waitFor();
  await page.context().close();
});

await step("what strangers chose is text", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/credentials/hostile@acme`);
  assert.ok((await page.locator("dd bdi").allTextContents()).includes(HOSTILE.trim()));
  assert.equal(await page.locator("main img").count(), 0);
  await page.goto(`${BASE}/find`);
  assert.equal(await page.locator("main img").count(), 0);
  await page.context().close();
});

await step("pages of other sites can neither send forms nor frame a page", async () => {
  const page = await opened({ state });
  page.removeAllListeners("request");
  page.removeAllListeners("console");
  const form = `<form method=post action="${BASE}/credentials/dev1@acme/delete"></form><script>document.forms[0].submit()</script>`;
  const frame = `<iframe src="${BASE}/find"></iframe>`;
  const server = createServer((asked, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(asked.url === "/form" ? form : frame);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const elsewhere = `http://localhost:${server.address().port}`;
  await page.goto(`${elsewhere}/form`);
  await page.waitForURL(`${BASE}/**`);
  assert.match(await page.innerText("main"), /another site|sign in/i);
  await page.goto(`${elsewhere}/frame`);
  assert.equal(await page.frames()[1].locator("main").count(), 0);
  server.close();
  await page.goto(`${BASE}/credentials/dev1@acme`);
  assert.equal(await page.locator("h1").innerText(), "dev1@acme");
  await page.context().close();
});

const PAGES = [
  "/find", "/find?q=dev", "/find?q=192.0.2.1", "/create", "/credentials/dev1@acme", "/credentials/hostile@acme", "/connected",
  "/refused", "/why", "/why?name=dev1%40acme&check=publish&topic=acme%2Fx", "/connectivity?tenant=acme", "/tenants", "/tenants/acme",
  "/roles?tenant=acme", "/roles/acme/readers", "/operators", "/operators/bridge", "/people", `/people/${ADA}`, "/tokens", "/brokers",
  "/bans", "/authorities", "/issuers", "/other-brokers", "/followers/edge",
  "/schemes/impact", "/applications?tenant=acme", "/jwts",
  "/me", "/audit?span=all", "/audit?verify=yes", "/sign-in", "/nowhere",
];

// What `cargo xtask screenshots` takes pictures of.
const PICTURED = { "/credentials/dev1@acme": ["credential", false], "/connected": ["connected", true] };

const severe = async (page, rules) => {
  // In this way the policy of the page is not in the way, and stays what it is.
  await page.evaluate(axe.source);
  return page.evaluate(async (rules) => {
    const only = rules && { runOnly: { type: "rule", values: rules } };
    const { violations } = await window.axe.run({ resultTypes: ["violations"], ...only });
    const grave = violations.filter((it) => ["serious", "critical"].includes(it.impact));
    return grave.map((it) => `${it.id}: ${it.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
  }, rules);
};

// Somebody is connected meanwhile, and others are refused.
const stays = client("live@acme", secret);
for (let count = 0; count < 3; count += 1) {
  const refused = spawn("mosquitto_pub", ["-h", "127.0.0.1", "-p", env.BROKER_PORT, "-u", "nobody@acme", "-P", "x", "-t", "a", "-m", "b"]);
  await new Promise((done) => refused.on("exit", done));
}

for (const [dark, width, scripts] of [
  [false, 1440, true],
  [true, 360, true],
  [true, 1440, false],
  [false, 360, false],
]) {
  await step(`every page is whole: ${dark ? "dark" : "light"}, ${width} px, ${scripts ? "with" : "without"} scripts`, async () => {
    const page = await opened({ state, dark, width, scripts });
    for (const path of PAGES) {
      const answer = await page.goto(`${BASE}${path}`);
      assert.equal(answer.status(), path === "/nowhere" ? 404 : 200, path);
      const text = await page.innerText("main");
      assert.ok(text.length > 20, path);
      const box = await page.locator("main").boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= width + 1, `${path} is wider than ${width}`);
      if (!scripts) continue;
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(beyond <= 0, `${path} is ${beyond} px too wide`);
      // What does not depend on colours was looked at before.
      if (!dark) assert.deepEqual(await severe(page), [], path);
      else if (!path.includes("?")) assert.deepEqual(await severe(page, ["color-contrast"]), [], path);
      const [name, isDark] = PICTURED[path] ?? [];
      if (env.PICTURES_OF_ALL) {
        const slug = path.slice(1).replace(/[^a-z0-9]+/gi, "-");
        await page.screenshot({ path: join(env.PICTURES_OF_ALL, `${slug}-${dark ? "dark" : "light"}.png`), fullPage: true });
      }
      if (env.PICTURES && name && isDark === dark) await page.screenshot({ path: join(env.PICTURES, `${name}.png`) });
    }
    await page.context().close();
  });
}

stays.kill("SIGTERM");

await step("a second factor is made, asked for, and sessions end everywhere on signing out", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/me`);
  const form = page.locator("form[action='/me/enrol']");
  await form.getByLabel("My password now").fill(PASSWORD);
  await form.getByRole("button").click();
  await page.getByRole("dialog").waitFor();
  assert.match(await copied(page, "otpauth"), /^otpauth:\/\/totp\//);
  const recovery = (await copied(page, "codes")).split("\n");
  const code = await totp(await copied(page, "secret"));
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Close it" }).click();
  await page.getByLabel("A code that the app shows").fill(code);
  await page.getByRole("button", { name: "Confirm it" }).click();
  // All sessions ended, this one, too.
  await page.waitForURL("**/sign-in?then=*");
  await page.getByText("sign in again").waitFor();
  await signIn(page);
  await page.getByRole("alert").waitFor();
  await signIn(page, recovery[0]);
  await page.waitForURL("**/find");
  const other = await opened({ state: await page.context().storageState() });
  await other.goto(`${BASE}/find`);
  assert.match(other.url(), /\/find$/);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out").waitFor();
  await other.reload();
  assert.match(other.url(), /\/sign-in\?then=/);
  await page.context().close();
  await other.context().close();
});

await browser.close();

/** The code that an authenticator app shows now. */
async function totp(base32) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...base32.replace(/=|\s/g, "")].map((it) => letters.indexOf(it).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((it) => Number.parseInt(it, 2)));
  const { createHmac } = await import("node:crypto");
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const offset = digest[19] & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
