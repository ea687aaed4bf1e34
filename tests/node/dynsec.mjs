// Has two libraries of npm give the commands of dynamic-security: `mosquitto-dynsec`, which
// is made for them and speaks MQTT 3.1.1, and `u8-mqtt`, a client of MQTT 5. Fails with the
// first answer that is wrong.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import process from "node:process";

const env = process.env;
const require = createRequire(`${env.NODE_FOLDER}/`);
const { MosquittoDynsec } = require("mosquitto-dynsec");
const { mqtt_v5 } = require("u8-mqtt");

const port = Number(env.BROKER_PORT);
const { USERNAME: username, PASSWORD: password } = env;

/** Whatever it is that a promise is rejected with. */
const refused = (promise) => promise.then(() => assert.fail("it was not refused"), (why) => String(why));
const names = (items, of) => items.map((it) => it[of]);

const library = new MosquittoDynsec();
// It gives up after so long, whatever was answered.
library.timeoutSeconds = 600;
await library.connect({ hostname: "127.0.0.1", port, username, password });

await library.createRole("pump");
for (const acltype of ["publishClientSend", "subscribePattern"]) {
  await library.addRoleACL({ rolename: "pump", acltype, topic: "acme/%u/#", allow: true, priority: 5 });
}
const role = await library.getRole("pump");
assert.deepEqual(names(role.acls, "acltype"), ["publishClientSend", "subscribePattern"]);
assert.deepEqual(names(role.acls, "topic"), ["acme/%u/#", "acme/%u/#"]);
assert.deepEqual((await library.listRoles()).roles, ["pump"]);
await library.createClient({ username: "c1", password: "correct-horse", clientid: "id-1", textname: "first" });
await library.addClientRole("c1", "pump", 3);
let client = await library.getClient("c1");
assert.equal(client.username, "c1");
assert.equal(client.clientid, "id-1");
assert.equal(client.textname, "first");
assert.deepEqual(client.roles, [{ rolename: "pump", priority: 3 }]);
assert.ok((await library.listClients()).clients.includes("c1"));
await library.createGroup("pumps");
await library.addGroupRole("pumps", "pump");
await library.addGroupClient("pumps", "c1");
const group = await library.getGroup("pumps");
assert.deepEqual(names(group.clients, "username"), ["c1"]);
assert.deepEqual(names(group.roles, "rolename"), ["pump"]);
assert.deepEqual((await library.listGroups()).groups, ["pumps"]);
await library.createGroup("strangers");
await library.setAnonymousGroup("strangers");
assert.equal((await library.getAnonymousGroup()).groupname, "strangers");
const all = [
  { acltype: "publishClientSend", allow: false },
  { acltype: "publishClientReceive", allow: true },
  { acltype: "subscribe", allow: false },
  { acltype: "unsubscribe", allow: true },
];
await library.setDefaultACLAccess(all);
assert.deepEqual(await library.getDefaultACLAccess(), all);
await library.setClientId("c1", "id-2");
await library.setClientPassword("c1", "another-horse");
await library.disableClient("c1");
client = await library.getClient("c1");
assert.equal(client.clientid, "id-2");
assert.equal(client.disabled, true);
await library.enableClient("c1");

// What can't be said here is refused, and both rules are named.
const deny = { rolename: "pump", acltype: "publishClientSend", topic: "acme/%u/key", allow: false };
const why = await refused(library.addRoleACL(deny));
assert.ok(why.includes("acme/%u/#") && why.includes("acme/%u/key"), why);
assert.equal(await refused(library.getRole("none")), "Role not found");
assert.equal(await refused(library.createRole("pump")), "Role already exists");

await library.removeGroupClient("pumps", "c1");
await library.removeGroupRole("pumps", "pump");
await library.deleteGroup("pumps");
await library.removeClientRole("c1", "pump");
await library.removeRoleACL({ rolename: "pump", acltype: "publishClientSend", topic: "acme/%u/#" });
assert.deepEqual(names((await library.getRole("pump")).acls, "acltype"), ["subscribePattern"]);
await library.deleteClient("c1");
await library.deleteRole("pump");

// The other one has no commands of its own: it sends messages of many, and sees all that is
// answered, member by member.
const asked = "$CONTROL/dynamic-security/v1";
const other = mqtt_v5();
other.with_tcp(`tcp://127.0.0.1:${port}`);
const [answer] = await other.connect({ username, password, client_id: "u8" });
assert.ok(answer.reason.ok);
const heard = [];
let wake = () => {};
// A route of its own is a pattern, in which `$` would be the end of a topic.
other.on_topic("*", (message) => {
  heard.push(message.json());
  wake();
});
await other.subscribe([`${asked}/response`]);
const ask = async (...commands) => {
  await other.json_send(asked, { commands });
  if (heard.length === 0) await new Promise((done) => (wake = done));
  return heard.shift().responses;
};
const [made, again, unknown] = await ask(
  { command: "createRole", rolename: "valve", correlationData: "one" },
  { command: "createRole", rolename: "valve", correlationData: "two" },
  { command: "openValve" },
);
assert.deepEqual(made, { command: "createRole", correlationData: "one" });
assert.deepEqual(again, { command: "createRole", error: "Role already exists", correlationData: "two" });
assert.deepEqual(unknown, { command: "openValve", error: "Unknown command" });
const acls = [{ acltype: "subscribeLiteral", topic: "acme/valve", priority: 0, allow: true }];
const [changed, shown, , listed] = await ask(
  { command: "modifyRole", rolename: "valve", acls },
  { command: "getRole", rolename: "valve" },
  { command: "createClient", username: "v1", password: "correct-horse", roles: [{ rolename: "valve" }] },
  { command: "listClients", verbose: true },
);
assert.deepEqual(changed, { command: "modifyRole" });
assert.deepEqual(shown.data.role.acls, acls);
const v1 = listed.data.clients.find((it) => it.username === "v1");
assert.deepEqual(v1.roles, [{ rolename: "valve" }]);
const [gone] = await ask({ command: "deleteClient", username: "v1" }, { command: "deleteRole", rolename: "valve" });
assert.deepEqual(gone, { command: "deleteClient" });
console.log("two libraries were answered");
process.exit(0);
