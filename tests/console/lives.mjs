// What is done with each sort of thing, from its making to its end, by the forms of the console. A
// life leaves nothing behind; `id` tells it from those before.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { BASE } from "./browser.mjs";
import { published, publishedBy, totp } from "./clients.mjs";

const { CERTIFICATES, JWKS, HOSTILE, TOKEN } = process.env;
const LONG = "w".repeat(200);
const RULE = { effect: "deny", action: "publish", pattern: "acme/x" };

/** The row of a table in which something stands. */
const row = (hands, text) => hands.page.locator("tbody tr", { hasText: text }).first();
/** A form of a row. */
const inRow = (hands, text, act) => row(hands, text).locator(`form[action$="${act}"]`);

/** Acts of the page, one after another; what undoes the one before is another form. */
const acts = async (hands, all) => {
  for (const [act, says, how] of all) await hands.send(`form[action$="/${act}"]:not(.notice *)`, says, how);
};

/** What people do to their own account. */
const inTheirOwnName = async (hands, email, password, new_password) => {
  const own = await hands.other(email, password);
  await own.send("form[action='/me/password']", { password, new_password });
  await own.send("main form", { email, password: new_password });
  await own.send(row(own, "this one").locator("form"), {}, { told: "sign in again" });
  await own.page.context().close();
};

/** A device comes by itself, and is deleted; so it is kept out, until it may come again. */
const comesAgain = async (hands, named, says, comes) => {
  const at = new URL(hands.page.url()).pathname;
  for (let time = 0; time < 2; time += 1) {
    assert.ok(await comes());
    await hands.open(`/credentials/${named}@acme`);
    await acts(hands, [["delete", {}]]);
    assert.equal(await comes(), false);
    await hands.open(at);
    await acts(hands, [["forget", says]]);
  }
};

export const LIVES = {
  async tenant(hands, id) {
    await hands.open("/tenants");
    await hands.send("form.card", { id, namespaces: `${id}/#`, authentication: "optional" }, { told: "What holds in it" });
    await hands.send("form[action$='/change']", { client_id_prefix: `${id}-` }, { button: "button[name=try]", told: "Who would lose what" });
    await acts(hands, [["change", { subscribe: "filtered", sys_read: "yes" }]]);
    await hands.undo();
    await acts(hands, [["limits", { connections: "9", share: "20" }]]);
    await hands.undo();
    await acts(hands, [
      ["rotate-key", { overlap: "1h" }],
      ["delete", { confirm: id, cascade: "yes" }],
    ]);
  },

  async credential(hands, id) {
    await hands.open("/create");
    await hands.send("form.card", { tenant: "acme", name: id, description: HOSTILE, groups: "HALL", client_id: "any" }, { told: "secret" });
    await acts(hands, [
      ["change", { description: `${LONG} ${HOSTILE}`, roles: "readers" }],
      ["rule", RULE],
      ["unrule", {}],
      ["certify", { fingerprint: "ab".repeat(32) }],
      ["uncertify", {}],
      ["limits", { connections: "3", payload: "1000" }],
      ["suspend", {}],
      ["reactivate", {}],
    ]);
    await hands.undo();
    await acts(hands, [
      ["reactivate", {}],
      ["rotate", { overlap: "1h", until_used: "yes" }, { told: "secret" }],
      ["reset-password", { password: "correct horse battery" }],
      ["reset-password", {}, { told: "secret" }],
      ["untie", {}, { told: "is not tied" }],
      ["revoke", { reason: HOSTILE }],
      ["delete", {}],
    ]);
  },

  async role(hands, id) {
    await hands.open("/roles?tenant=acme");
    await hands.send("form.card", { name: id, description: HOSTILE, no_wildcards: "yes" }, { told: "It has no rules" });
    await hands.send("form[action$='/rule']", RULE, { button: "button[name=try]", told: "What would change" });
    await acts(hands, [
      ["rule", { ...RULE, group: "HALL" }],
      ["assign", { group: "HALL" }],
    ]);
    await hands.undo();
    await acts(hands, [["assign", { group: "YARD" }]]);
    await hands.send("form[action$='/unrule']", {}, { button: "button[name=try]", told: "What would change" });
    await acts(hands, [
      ["unrule", {}],
      ["unassign", {}],
      ["limits", { messages_per_second: "5" }],
      ["delete", { cascade: "yes" }],
    ]);
  },

  async operator(hands, id) {
    await hands.open("/operators");
    await hands.send("form.card", { name: id, publish: "acme/#", subscribe: "acme/<b>/+" }, { told: "secret" });
    await acts(hands, [
      ["rule", RULE],
      ["unrule", {}],
      ["suspend", {}],
      ["reactivate", {}],
      ["rotate", {}, { told: "secret" }],
      ["reset-password", { password: "correct horse battery" }],
      ["reset-password", {}, { told: "secret" }],
      ["revoke", {}],
      ["delete", {}],
    ]);
  },

  async person(hands, id) {
    const email = `${id}@mail.test`;
    await hands.open("/people");
    await hands.send("form.card", { email, password: "correct horse battery" }, { told: "Who it is" });
    await acts(hands, [["grant", { tenant: "acme", right: "viewer" }]]);
    await hands.undo();
    const wrong = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ email, password: "x" }) };
    for (let count = 0; count < 5; count += 1) assert.equal((await fetch(`${BASE}/api/v1/session`, wrong)).status, 401);
    await hands.open(`/people/${email}`);
    await acts(hands, [["unlock", {}]]);
    await inTheirOwnName(hands, email, "correct horse battery", "my horse battery");
    await acts(hands, [
      ["grant", { tenant: "acme", right: "role", role: "readers", group: "HALL" }],
      ["ungrant", {}],
      ["reset-password", { password: "another horse battery" }],
    ]);
    const secret = await hands.send("form[action$='/enrol']", {}, { told: "secret" });
    await acts(hands, [
      ["confirm", { code: totp(secret) }],
      ["disable-mfa", {}],
      ["admin", {}],
      ["member", {}],
      ["delete", {}],
    ]);
  },

  async token(hands, id) {
    await hands.open("/tokens");
    await hands.send("form.card", { scope: "viewer:acme", expires: "1h", description: `${id} ${HOSTILE}` }, { told: "secret" });
    await hands.send(inRow(hands, id, "/revoke"));
    await hands.open("/me");
    await hands.send("form[action='/me/token']", { scope: "viewer:acme", expires: "1h", description: `${id} mine` }, { told: "secret" });
    await hands.send(inRow(hands, `${id} mine`, "/revoke"), {}, { told: "Where I am signed in" });
  },

  async authority(hands) {
    await hands.open("/authorities");
    const pem = readFileSync(`${CERTIFICATES}devices.crt`, "utf8");
    await hands.send("form.card", { tenant: "acme", identity: "cn", pattern: "${name}.acme", pem, role: "readers", max: "3", auto_register: "yes" });
    await comesAgain(hands, "hose", { name: "hose" }, () => publishedBy("hose", "acme/x"));
    await acts(hands, [
      ["forget", { name: "nobody" }, { told: "Not done." }],
      ["remove", {}],
    ]);
  },

  async issuer(hands, id) {
    await hands.open("/issuers");
    const said = { name: id, tenant: "acme", iss: "https://sso.example", audience: HOSTILE, alg: "EdDSA", jwks: JWKS };
    const registers = { auto_register: "yes", role: "readers", max: "3" };
    await hands.send("form.card", { ...said, role_claim: "realm.roles", role_map: "<i>ops</i>=readers", ...registers });
    await comesAgain(hands, "mast", { identity: "mast" }, () => published("jwt", TOKEN, { id: "mast", topic: "acme/x" }));
    await acts(hands, [
      ["forget", { identity: "nobody" }, { told: "Not done." }],
      ["revoke", { jti: HOSTILE }],
      ["keys", { jwks_url: "https://127.0.0.1:9/keys", allow_private: "yes" }],
      ["refresh", {}],
    ]);
    // What came of it is another version of it.
    do await hands.open(`/issuers/${id}`);
    while ((await hands.page.locator("dt:text-is('Last tried') + dd .none").count()) > 0);
    await acts(hands, [["remove", {}]]);
  },

  async application(hands, id) {
    await hands.open("/applications?tenant=acme");
    await hands.send("form.card", { name: id, roles: "readers", max: "5", pattern: "pump-*", auto_register: "yes" }, { told: "secret" });
    await hands.send("form[action$='/rotate']", { overlap: "1h" }, { told: "secret" });
    const secret = await hands.send("form[action$='/rotate']", {}, { told: "secret" });
    await hands.open("/things?tenant=acme");
    await hands.send("form.card", { key: `${id}-thing`, application: id });
    assert.ok(await published(`${id}-thing`, secret, { id: `app-${id}`, topic: `thing/${id}-thing/state` }));
    do await hands.open("/things?tenant=acme");
    while ((await row(hands, `${id}-thing`).getByText("not bound yet").count()) > 0);
    await hands.send(inRow(hands, `${id}-thing`, "/untie"));
    await hands.send(inRow(hands, `${id}-thing`, "/delete"));
    await hands.open(`/applications/acme/${id}`);
    await acts(hands, [["delete", {}]]);
  },

  async scheme(hands, id) {
    const { page } = hands;
    await hands.open("/schemes/basic");
    const scheme = JSON.parse(await page.locator("main pre").innerText());
    await hands.open("/schemes");
    await hands.send("form.card", { fields: JSON.stringify({ ...scheme, name: id, builtin: undefined }) });
    await acts(hands, [["remove", {}]]);
  },

  async jwt(hands, id) {
    await hands.open("/jwts");
    await hands.send("form.card", { of: "acme", role: "readers", whoami: id, ttl: "1h", as: "fleet" }, { told: "secret" });
    await hands.send(inRow(hands, id, "/revoke"));
    await hands.send("form.card", { of: "acme", role: "readers", whoami: id, as: "fleet" }, { told: "secret" });
    await acts(hands, [["revoke-all", { issuer: "fleet", of: "acme" }]]);
    await hands.open("/jwts/keys?tenant=acme");
    await hands.send("tbody form[action='/jwts/keys/revoke']");
  },

  async hook(hands, id) {
    await hands.open("/other-brokers");
    await hands.send("form.card", { name: id, kind: "rabbitmq", tenant: "acme", from: "192.0.2.0/24", vhosts: "/, <b>" }, { told: "secret" });
    await hands.send(inRow(hands, id, "/rotate"), {}, { told: "secret" });
    await hands.send(inRow(hands, id, "/delete"));
  },

  async follower(hands, id) {
    await hands.open("/followers");
    await hands.send("form.card", { name: id, tenants: "acme" }, { told: "secret" });
    await acts(hands, [
      ["tenants", { tenants: "acme, hall" }],
      ["rotate", {}, { told: "secret" }],
      ["delete", {}],
    ]);
  },

  async ban(hands, id) {
    await hands.open("/bans");
    await hands.send("form.card", { client_id: `${id} <b>`, of: "acme", reason: HOSTILE });
    await hands.send(inRow(hands, id, "/remove"));
    await hands.undo();
    await hands.send(inRow(hands, id, "/remove"));
  },

  async broker(hands) {
    await hands.open("/brokers");
    await hands.send("form[action$='/forget']");
  },

  async connectivity(hands, id) {
    await hands.open("/connectivity?tenant=acme");
    await hands.send("form[method=post][action='/connectivity']", { description: `${id} ${HOSTILE}` }, { told: "secret" });
    await hands.send(inRow(hands, id, "/delete"));
  },

  async settings(hands) {
    await hands.open("/settings");
    await hands.send("form.card", { client_id_hold: "7d", auto_ban: "20/10m:1h" });
    await hands.undo();
    assert.equal(await hands.page.locator("form.card [name=client_id_hold]").inputValue(), "30d");
  },

  async many(hands) {
    const { page } = hands;
    await hands.open("/find?q=dev");
    for (const name of ["dev1@acme", "dev2@acme"]) await hands.say(page.locator(`[value="${name}"][form=many]`), "yes");
    await hands.send("form#many", { act: "suspend" }, { told: "nothing is changed yet" });
    await hands.send("main form:has([name=sure])", {});
    await hands.send(".notice form", {}, { told: "Done to 2." });
    await hands.open("/find?q=dev&tenant=acme");
    await hands.send("form#many", { act: "join", of: "YARD", all: "yes" }, { told: "Put into the group: 2" });
    await hands.send("main form:has([name=sure])", {}, { told: "Done to 2." });
    await hands.open("/find?group=YARD");
    await hands.send("form#many", { act: "leave", of: "YARD", all: "yes" }, { told: "Take out of the group: 2" });
    await hands.send("main form:has([name=sure])", {}, { told: "Done to 2." });
  },

  async looks(hands) {
    const { page } = hands;
    await hands.open("/find");
    await hands.send("form.find", { q: "HALL", state: "Active" }, { told: "In the group" });
    await hands.open("/why");
    await hands.send("form.card", { name: "dev1@acme", check: "publish", topic: "acme/<b>", client_id: HOSTILE }, { told: "All that was considered" });
    await hands.open("/audit");
    await hands.send("form.find", { name: "dev1@acme", span: "all", outcome: "done" }, { told: "credential.create" });
    await hands.send("form:has([name=verify])", {}, { told: "Intact." });
    await hands.open("/refused");
    await page.locator("h1", { hasText: "Refused" }).waitFor();
  },
};
