// Walks through the console as people do: with a mouse, by keyboard alone, without scripts; dark and
// light, wide and narrow. Prints what it tried, and fails if any of it is wrong.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";

import { ADA, acts, BASE, browser, comings, opened, PASSWORD, problems, signIn } from "./browser.mjs";
import { client, published, totp } from "./clients.mjs";
import { Hands, reach } from "./hands.mjs";
import { LIVES } from "./lives.mjs";

const env = process.env;
const axe = createRequire(`${env.NODE_FOLDER}/`)("axe-core");

const failures = [];

/** Does a step. What else is wrong is told, too, so what follows is tried all the same. */
const step = async (name, run) => {
  const begun = Date.now();
  try {
    await run();
    assert.deepEqual(problems, [], name);
    console.log(`ok ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    failures.push(name);
    console.log(`FAILED ${name}: ${error.stack}`);
    for (const page of browser.contexts().flatMap((it) => it.pages())) {
      console.log(`at ${page.url()}:\n${await page.innerText("main").catch(() => "")}`);
    }
    await Promise.all(browser.contexts().map((it) => it.close()));
    problems.length = 0;
  }
};

/** Goes by keyboard to the first that is meant. */
const tabTo = (page, selector) => reach(page, page.locator(selector).first());

const copied = (page, what) => page.locator(`#copied-${what} code`).innerText();

// Each page is looked at twice, once with scripts, in what the seed says, and all that can be done is
// done once, with a mouse or by keyboard; where all is asked for, everything in every way.
const WAYS = [0, 1, 2, 3, 4, 5, 6, 7].map((it) => ({ scripts: it < 4, dark: it % 2 === 1, width: it % 4 < 2 ? 1440 : 360 }));
const seed = Number(env.SEED);
const isOf = (way, place) => env.ALL_WAYS || (way < 4 ? way : 7 - way) === (place + seed) % 4;
const told = ({ scripts, dark, width }) => `${dark ? "dark" : "light"}, ${width} px, ${scripts ? "with" : "without"} scripts`;

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

let state;
let secret;

await step("the page for the first administrator is whole, and refuses a wrong code", async () => {
  for (const way of WAYS.filter((_, number) => isOf(number, 0))) {
    const page = await opened(way);
    const hands = new Hands(page, way);
    await hands.open("/first");
    await hands.whole();
    await hands.send("main form", { code: "wrong", email: ADA, password: PASSWORD }, { told: "not the code" });
    if (way.scripts) assert.deepEqual(await severe(page), []);
    await page.context().close();
  }
});

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
  assert.deepEqual(await severe(page), []);
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
  // A browser does not send it again by itself.
  const again = await page.goForward().then(
    () => page.content(),
    (error) => error.message,
  );
  assert.equal(again.includes(shown), false);
  await page.context().close();
});

// How soon, is printed: a second on a machine that does nothing else.
await step("who connects appears by itself, and vanishes by itself", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/connected`);
  await page.getByText("Live", { exact: true }).waitFor();
  const row = page.locator("#clients tr", { hasText: "live@acme" });
  const moment = await comings(page, "live@acme");
  const taken = [];
  const isQuick = () => taken.some((both) => both.every((it) => it < 1_000));
  while (taken.length < 3 && !isQuick()) {
    let begun = Date.now();
    const it = client("live@acme", secret, "acme/#");
    const appeared = (await moment()) - begun;
    begun = Date.now();
    it.kill("SIGTERM");
    taken.push([appeared, (await moment()) - begun]);
  }
  console.log(`it took ${taken.join("; ")} ms to appear and to vanish`);
  const second = client("live@acme", secret, "acme/#");
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
  assert.ok((await page.locator("dd bdi").allTextContents()).includes(env.HOSTILE.trim()));
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
  "/find", "/find?q=dev", "/find?q=HALL", "/find?group=HALL", "/find?q=192.0.2.1", "/create", "/credentials/dev1@acme",
  `/credentials/${encodeURIComponent(env.STRANGE)}`, "/connected", "/refused", "/why",
  "/why?name=dev1%40acme&check=publish&topic=acme%2Fx", "/connectivity?tenant=acme", "/tenants", "/tenants/acme",
  "/roles?tenant=acme", "/roles/acme/readers", "/operators", "/operators/bridge", "/people", `/people/${ADA}`, "/tokens", "/brokers",
  "/bans", "/authorities", `/authorities/${env.FINGERPRINT}`, "/issuers", "/issuers/sso", "/other-brokers", "/followers",
  "/followers/edge", "/schemes", "/schemes/impact", "/applications?tenant=acme", "/applications/acme/fleet", "/things?tenant=acme",
  "/jwts", "/jwts/keys?tenant=acme", "/settings", "/me", "/audit?span=all", "/audit?verify=yes", "/sign-in", "/nowhere",
  `/find?q=${encodeURIComponent(env.HOSTILE)}`, "/audit?span=all&name=hostile%40acme", "/connected?name=hostile%40acme",
  `/why?${new URLSearchParams({ name: "hostile@acme", check: "publish", topic: env.HOSTILE, client_id: env.HOSTILE })}`,
];

// Somebody is connected meanwhile, and others are refused.
const stays = client("live@acme", secret, "acme/#");
const stranger = client("hostile@acme", env.HOSTILE_SECRET, `acme/${env.HOSTILE}`, `${env.HOSTILE} here`);
for (const name of ["nobody@acme", env.HOSTILE, "nobody@acme"]) {
  assert.equal(await published(name, "x", { id: `${env.HOSTILE} ${name}`, topic: "a" }), false);
}

await step("what strangers who came are called is text", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/connected`);
  await page.locator("#clients bdi", { hasText: env.HOSTILE.trim() }).first().waitFor();
  await page.goto(`${BASE}/refused`);
  await page.locator("#refused bdi", { hasText: "<img src=x onerror=alert(1)>" }).first().waitFor();
  await page.context().close();
});

for (const [number, way] of env.ONLY ? [] : WAYS.entries()) {
  await step(`pages are whole: ${told(way)}`, async () => {
    const page = await opened({ state, ...way });
    const hands = new Hands(page, way);
    for (const path of PAGES.filter((_, place) => isOf(number, place))) {
      const answer = await page.goto(`${BASE}${path}`);
      assert.equal(answer.status(), path === "/nowhere" ? 404 : 200, path);
      const text = await page.innerText("main");
      assert.ok(text.length > 20, path);
      await hands.whole();
      if (way.scripts) assert.deepEqual(await severe(page), [], path);
    }
    await page.context().close();
  });
}

for (const [place, [sort, life]] of Object.entries(LIVES).entries()) {
  if (env.ONLY && sort !== env.ONLY) continue;
  for (const [number, way] of WAYS.entries()) {
    for (const keyboard of [true, false]) {
      const isMeant = env.ALL_WAYS || (number === (place + seed) % 8 && keyboard === ((place + seed) % 3 > 0));
      if (!isMeant) continue;
      await step(`${sort}: ${keyboard ? "by keyboard" : "by mouse"}, ${told(way)}`, async () => {
        const page = await opened({ state, ...way });
        await life(new Hands(page, { ...way, keyboard }), `${sort}${number}${keyboard ? "k" : "m"}`);
        await page.context().close();
      });
    }
  }
}

stays.kill("SIGTERM");
stranger.kill("SIGTERM");

await step("a second factor is made, asked for, and sessions end everywhere on signing out", async () => {
  const page = await opened({ state });
  await page.goto(`${BASE}/me`);
  const form = page.locator("form[action='/me/enrol']");
  await form.getByLabel("My password now").fill(PASSWORD);
  await form.getByRole("button").click();
  await page.getByRole("dialog").waitFor();
  assert.match(await copied(page, "otpauth"), /^otpauth:\/\/totp\//);
  const recovery = (await copied(page, "codes")).split("\n");
  const code = totp(await copied(page, "secret"));
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
  const hands = new Hands(page, { keyboard: true, scripts: true, width: 1440 });
  await hands.open("/me");
  await hands.send("form[action='/me/disable']", { password: PASSWORD, code: recovery[1] });
  await signIn(page);
  await page.waitForURL("**/find");
  const other = await opened({ state: await page.context().storageState() });
  await other.goto(`${BASE}/connected`);
  await other.getByText("Live", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out").waitFor();
  // What is live elsewhere shows nothing more by itself; and nothing comes back.
  await other.waitForURL("**/sign-in?then=*");
  await page.goBack();
  await page.waitForURL("**/sign-in?then=*");
  await page.context().close();
  await other.context().close();
});

await step("no page offers an act that was not done", () => {
  const left = [...acts.offered].filter((it) => !acts.done.has(it)).sort();
  console.log(`acts that pages offered: ${acts.offered.size}`);
  assert.deepEqual(env.ONLY ? [] : left, []);
});

await browser.close();
assert.deepEqual(failures, []);
