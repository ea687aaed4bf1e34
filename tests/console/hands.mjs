// How people use a page: with a mouse, or by keyboard alone. Each waits for what it leads to.

import assert from "node:assert/strict";

import { actAt, acts, BASE, opened } from "./browser.mjs";

/** Opens what is closed around something. */
const unfolded = async (hands, it) => {
  const closed = it.locator("xpath=ancestor::details[not(@open)]");
  while ((await closed.count()) > 0) await hands.press(closed.first().locator(":scope > summary"));
};

/** Goes on by the tabulator until what is meant has the focus. */
export const reach = async (page, it) => {
  const meant = await it.elementHandle();
  for (let count = 0; count < 250; count += 1) {
    if (await meant.evaluate((it) => it === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${it} can't be reached by keyboard on ${page.url()}`);
};

export class Hands {
  constructor(page, { keyboard, scripts, dark, width }) {
    Object.assign(this, { page, keyboard, scripts, dark, width });
  }

  /** Somebody else, who signs in by another browser and uses it alike. */
  async other(email, password) {
    const hands = new Hands(await opened(this), this);
    await hands.open("/sign-in?then=/me");
    await hands.send("main form", { email, password }, { told: "Where I am signed in" });
    return hands;
  }

  async open(path) {
    const answer = await this.page.goto(`${BASE}${path}`);
    assert.equal(answer.status(), 200, path);
    await this.skip();
  }

  /** By keyboard, one begins with the content. */
  async skip() {
    if (!this.keyboard) return;
    await this.page.keyboard.press("Tab");
    const isLink = await this.page.evaluate(() => document.activeElement?.matches(".skip"));
    if (isLink) await this.page.keyboard.press("Enter");
  }

  async press(it) {
    if (!this.keyboard) return it.click();
    await reach(this.page, it);
    return this.page.keyboard.press("Enter");
  }

  async say(it, text) {
    await unfolded(this, it);
    const kind = await it.evaluate((it) => it.type);
    if (!this.keyboard) {
      if (kind === "checkbox") return it.check();
      if (kind.startsWith("select")) return it.selectOption(text);
      await it.click();
      return it.fill(text);
    }
    await reach(this.page, it);
    if (kind === "checkbox") return this.page.keyboard.press("Space");
    if (kind.startsWith("select")) {
      await this.page.keyboard.press("Home");
      for (let count = 0; (await it.inputValue()) !== text; count += 1) {
        assert.ok(count < 30, `${text} is not to be chosen on ${this.page.url()}`);
        await this.page.keyboard.press("ArrowDown");
      }
      return undefined;
    }
    await this.page.keyboard.press("Control+A");
    return this.page.keyboard.insertText(text);
  }

  /** Fills in a form in the order of its fields, and sends it; returns the secret that comes of it. */
  async send(form, says = {}, { button = "button[type=submit]:not([name])", told = "done" } = {}) {
    const { page } = this;
    const it = typeof form === "string" ? page.locator(form).first() : form;
    const isSecret = this.scripts && (await it.getAttribute("data-secret")) !== null;
    for (const [name, text] of Object.entries(says)) await this.say(it.locator(`[name="${name}"]`), text);
    const last = it.locator(button).first();
    await unfolded(this, last);
    const isShown = isSecret && told === "secret";
    const left = isShown ? page.getByRole("dialog").waitFor() : page.waitForNavigation();
    await Promise.all([left, this.press(last)]);
    let secret = "";
    if (told === "secret") {
      secret = await page.locator("#copied-secret code").innerText();
      await (isSecret ? this.close() : this.leave());
      assert.equal((await page.content()).includes(secret), false);
    } else if (told === "done") {
      await page.locator(".notice.good").first().waitFor();
    } else {
      await page.getByText(told).first().waitFor();
    }
    await this.whole();
    await this.skip();
    return secret;
  }

  /** Closes the dialog with a secret, which asks before. */
  async close() {
    await this.page.keyboard.press("Escape");
    const close = this.page.locator("dialog [data-close]");
    await Promise.all([this.page.waitForNavigation(), this.press(close)]);
  }

  /** Leaves the page with a secret. */
  async leave() {
    await this.skip();
    await Promise.all([this.page.waitForNavigation(), this.press(this.page.locator(".secret .actions a"))]);
  }

  /** Undoes what was done just now. */
  async undo() {
    await this.send(".notice form");
  }

  /** Nothing is wider than the page, and nothing of what strangers chose is anything but text. */
  async whole() {
    const { page, width } = this;
    const at = page.url();
    const box = await page.locator("main").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= width + 1, `${at} is wider than ${width}`);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(beyond <= 0, `${at} is ${beyond} px too wide`);
    assert.equal(await page.locator("main :is(img, script, iframe)").count(), 0, at);
    const offered = await page.locator("form[method=post]").evaluateAll((forms) => forms.map((it) => it.getAttribute("action")));
    for (const action of offered) acts.offered.add(actAt(action));
  }
}
