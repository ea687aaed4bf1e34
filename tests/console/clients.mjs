// What is there beside the browser: clients of the broker, and an app that shows codes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";

/** A client that logs in, and stays until its session ends. */
export const client = (name, secret, topic, id = name) => started("mosquitto_sub", { name, secret, id, topic, more: ["-k", "5"] });

/** Publishes once; says whether it was let in. */
export const published = (name, secret, { id = name, topic }) => isLetIn(started("mosquitto_pub", { name, secret, id, topic, more: ["-n"] }));

/** The same by a certificate. */
export const publishedBy = (certificate, topic) => {
  const file = (name) => `${process.env.CERTIFICATES}${name}`;
  const proof = ["--cafile", file("ca.crt"), "--cert", file(`${certificate}.crt`), "--key", file(`${certificate}.key`)];
  const args = ["-h", "127.0.0.1", "-p", process.env.TLS_PORT, "-i", certificate, ...proof, "-t", topic, "-n"];
  return isLetIn(spawn("mosquitto_pub", args, { stdio: "ignore" }));
};

const isLetIn = async (it) => (await once(it, "exit"))[0] === 0;

const started = (tool, { name, secret, id = name, topic, more }) => {
  const args = ["-h", "127.0.0.1", "-p", process.env.BROKER_PORT, "-u", name, "-P", secret, "-i", id, "-t", topic, ...more];
  return spawn(tool, args, { stdio: "ignore" });
};

/** The code that an authenticator app shows now. */
export const totp = (base32) => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...base32.replace(/=|\s/g, "")].map((it) => letters.indexOf(it).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((it) => Number.parseInt(it, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const offset = digest[19] & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
};

/** Many clients of one login, in this process. They are there from when the broker lets them in, until they leave. */
export class Crowd {
  #clients = new Map();

  constructor(name, secret) {
    Object.assign(this, { name, secret });
  }

  get size() {
    return this.#clients.size;
  }

  /** Lets them in, some at a time. */
  async come(ids) {
    const left = [...ids];
    const next = async () => {
      while (left.length > 0) await this.#connect(left.shift());
    };
    await Promise.all(Array.from({ length: 50 }, next));
  }

  leave(ids) {
    for (const id of ids) {
      this.#clients.get(id).end(Buffer.from([0xe0, 0]));
      this.#clients.delete(id);
    }
  }

  close() {
    for (const it of this.#clients.values()) it.destroy();
  }

  async #connect(id) {
    const text = (it) => Buffer.concat([Buffer.from([it.length >> 8, it.length & 255]), Buffer.from(it)]);
    // MQTT 3.1.1, with a name, a secret and a clean session, and without keep-alive.
    const body = Buffer.concat([text("MQTT"), Buffer.from([4, 0xc2, 0, 0]), ...[id, this.name, this.secret].map(text)]);
    const socket = connect(Number(process.env.BROKER_PORT), "127.0.0.1");
    socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
    const [answer] = await once(socket, "data");
    assert.deepEqual([...answer], [0x20, 2, 0, 0], `${id} is not let in`);
    this.#clients.set(id, socket);
  }
}
