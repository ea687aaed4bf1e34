// What is there beside the browser: clients of the broker, and an app that shows codes.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import process from "node:process";

/** A client that logs in, and stays until its session ends. */
export const client = (name, secret, topic) => started("mosquitto_sub", { name, secret, topic, more: ["-k", "5"] });

/** Publishes once; says whether it was let in. */
export const published = async (name, secret, { id = name, topic }) => {
  const it = started("mosquitto_pub", { name, secret, id, topic, more: ["-n"] });
  return (await new Promise((done) => it.on("exit", done))) === 0;
};

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
