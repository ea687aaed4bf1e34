// The browser, in whose windows nothing may go wrong.

import { createRequire } from "node:module";
import process from "node:process";

const env = process.env;
const require = createRequire(`${env.NODE_FOLDER}/`);
const { chromium } = require("playwright-core");

export const BASE = env.CONSOLE;
export const PASSWORD = "correct horse battery";
export const ADA = "ada@mail.test";

export const browser = await chromium.launch({ executablePath: env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });

/** What went wrong besides what was tried. */
export const problems = [];
/** The acts that pages offered, and those that were done. */
export const acts = { offered: new Set(), done: new Set() };

/** An act, whatever it is done to. */
export const actAt = (address) => {
  const parts = new URL(address, BASE).pathname.split("/").slice(1);
  return parts.length > 1 ? `${parts[0]} ${parts.at(-1)}` : parts[0];
};

/** A browser window of its own. */
export const opened = async ({ scripts = true, dark = false, width = 1440, state } = {}) => {
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
  page.on("request", (it) => {
    if (!it.url().startsWith(`${BASE}/`) && it.url() !== BASE) problems.push(`asked elsewhere: ${it.url()}`);
    else if (it.method() === "POST") acts.done.add(actAt(it.url()));
  });
  return page;
};

export const signIn = async (page, code = "") => {
  await page.goto(`${BASE}/sign-in`);
  await page.getByLabel("Name or e-mail address").fill(ADA);
  await page.getByLabel("Password").fill(PASSWORD);
  if (code) await page.getByLabel("Code of the second factor").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
};

/** Notes when a row with this text comes into the live list, and when it goes; returns what waits for
 * the next of these moments. What waits for elements looks but twice a second after a while. */
export const comings = async (page, text) => {
  await page.evaluate((text) => {
    const list = document.querySelector("#clients");
    const isThere = () => [...list.querySelectorAll("tbody tr")].some((it) => it.textContent.includes(text));
    let was = isThere();
    window.comings = [];
    const note = () => {
      const is = isThere();
      if (is !== was) window.comings.push(Date.now());
      was = is;
    };
    new MutationObserver(note).observe(list, { subtree: true, childList: true });
  }, text);
  let seen = 0;
  return async () => {
    await page.waitForFunction((seen) => window.comings.length > seen, seen, { polling: 20 });
    seen += 1;
    return page.evaluate((seen) => window.comings[seen - 1], seen);
  };
};
