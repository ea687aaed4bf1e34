// Watches the live list with a crowd that comes and goes. How quick and how smooth it is, is printed;
// what must hold on any machine is asserted.

import assert from "node:assert/strict";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";

import { BASE, browser, comings, opened, problems, signIn } from "./browser.mjs";
import { Crowd } from "./clients.mjs";

const [crowd, guest] = JSON.parse(process.env.LOGINS).map(([name, secret]) => new Crowd(name, secret));
const THERE = Number(process.env.CROWD);
const A_PAGE = 100;
/** The pause between two looks of a page. */
const PAUSE = 250;

/** Says what it took: the median and the longest. */
const told = (times) => {
  const sorted = times.map(Math.round).sort((one, other) => one - other);
  return `${sorted[sorted.length >> 1] ?? 0} ms, at most ${sorted.at(-1) ?? 0} ms, of ${sorted.length}`;
};

const ids = (first, count) => Array.from({ length: count }, (_, place) => `c${first + place}`);

let begun = Date.now();
await crowd.come(ids(0, A_PAGE));
await crowd.come(ids(A_PAGE, THERE - A_PAGE));
console.log(`${THERE} sessions began within ${Date.now() - begun} ms`);

const page = await opened();
await signIn(page);
await page.waitForURL("**/find");
const state = await page.context().storageState();

/** Notes what the page does from now on: frames, long tasks, rows, changes, events. */
const watch = (page) =>
  page.evaluate(() => {
    const seen = { frames: [], tasks: [], rows: 0, nodes: 0, texts: [] };
    let last = performance.now();
    const frame = (now) => {
      seen.frames.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map((it) => it.duration))).observe({ type: "longtask" });
    new MutationObserver(() => {
      seen.rows = Math.max(seen.rows, document.querySelectorAll("#clients tbody tr").length);
      seen.nodes = Math.max(seen.nodes, document.querySelectorAll("*").length);
    }).observe(document.querySelector("#clients"), { subtree: true, childList: true });
    const pulse = document.querySelector("[data-pulse]");
    new MutationObserver(() => seen.texts.push(pulse.textContent)).observe(pulse, { subtree: true, childList: true, characterData: true });
    window.seen = seen;
  });

const live = async (path) => {
  const page = await opened({ state });
  const looks = [];
  page.on("response", (it) => it.request().resourceType() === "fetch" && looks.push(it));
  await page.goto(`${BASE}${path}`);
  await page.getByText("Live", { exact: true }).waitFor();
  return { page, looks };
};

const whole = await live("/connected");
const rows = whole.page.locator("#clients tbody tr");
assert.equal(await rows.count(), A_PAGE);
// Somebody is about to kick the last of those that stay.
const stays = whole.page.locator("#clients tbody tr", { hasText: `c${A_PAGE - 1}` }).first();
await stays.getByRole("checkbox").check();
await stays.getByRole("button").focus();
const held = await stays.elementHandle();
await watch(whole.page);

const one = await live("/connected?name=guest%40acme");
const moment = await comings(one.page, "guest@acme");

// All but those on the first page come and go, a few of those, too; and a guest does.
begun = Date.now();
whole.looks.length = 0;
const [appeared, vanished] = [[], []];
let next = THERE;
let gone = 0;
const churn = async (isOver) => {
  while (!isOver()) {
    const come = ids(next, 20);
    crowd.leave(ids(next - THERE + A_PAGE, 20));
    next += 20;
    // Of the first page, only who is held stays to the end.
    if (gone < A_PAGE - 1) crowd.leave([`c${gone}`]);
    gone += 1;
    await Promise.all([crowd.come(come), new Promise((done) => setTimeout(done, 40))]);
  }
};
let isOver = false;
const churning = churn(() => isOver);
for (let time = 0; time < Number(process.env.GUESTS); time += 1) {
  for (const [times, act] of [[appeared, "come"], [vanished, "leave"]]) {
    await guest[act](["guest"]);
    const acted = Date.now();
    times.push((await moment()) - acted);
  }
}
isOver = true;
await churning;
const took = Date.now() - begun;

// In the end, it shows what is there, without having been loaded again.
const fresh = await opened({ state });
const shown = (page) => page.locator("#clients .count b, #clients tbody td:nth-child(3)").allInnerTexts();
const isSame = async () => {
  await fresh.goto(`${BASE}/connected`);
  const [live, there] = [await shown(whole.page), await shown(fresh)];
  return there[0] === String(crowd.size) && isDeepStrictEqual(live, there);
};
while (!(await isSame())) assert.ok(Date.now() - begun < took + 30_000, "it does not show what is there");

const seen = await whole.page.evaluate(() => window.seen);
console.log(`${2 * (next - THERE) + gone} sessions came or went within ${took} ms`);
console.log(`a row appeared after ${told(appeared)}; vanished after ${told(vanished)}`);
console.log(`between frames: ${told(seen.frames)}; over 50 ms: ${seen.frames.filter((it) => it > 50).length}; tasks over 50 ms: ${told(seen.tasks)}`);
console.log(`${whole.looks.length} looks; at most ${seen.rows} rows and ${seen.nodes} elements`);

assert.equal(await held.evaluate((row) => row.isConnected && row.querySelector("input").checked && row.contains(document.activeElement)), true);
assert.ok(seen.rows <= A_PAGE, `${seen.rows} rows`);
assert.ok(whole.looks.length <= took / PAUSE + 3, `${whole.looks.length} looks within ${took} ms`);
assert.deepEqual(seen.texts, [], "the stream broke off");
assert.deepEqual(problems, []);

crowd.close();
guest.close();
await browser.close();
