// Makes pictures small: of what a browser draws, 256 colours are enough.

import { crc32, deflateSync, inflateSync } from "node:zlib";

const MOST = 256;
const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

/** The same picture with a palette (PNG, colour type 3). */
export const small = (png) => {
  const { width, height, colours } = drawn(png);
  const counts = new Map();
  for (const it of colours) counts.set(it, (counts.get(it) ?? 0) + 1);
  const palette = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, MOST);
  const places = new Map(palette.map((it, place) => [it, place]));
  const lines = Buffer.alloc(height * (width + 1));
  for (const [at, it] of colours.entries()) {
    if (!places.has(it)) places.set(it, nearest(it, palette));
    lines[Math.floor(at / width) * (width + 1) + 1 + (at % width)] = places.get(it);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3], 8);
  const parts = [["IHDR", head], ["PLTE", Buffer.from(palette.flatMap(parted))], ["IDAT", deflateSync(lines, { level: 9, memLevel: 9 })], ["IEND", Buffer.alloc(0)]];
  return Buffer.concat([SIGNATURE, ...parts.map(([kind, data]) => chunk(kind, data))]);
};

const parted = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];

const nearest = (colour, palette) => {
  const distance = (it) => parted(it).reduce((sum, part, place) => sum + (part - parted(colour)[place]) ** 2, 0);
  return palette.reduce((best, it, place) => (distance(it) < distance(palette[best]) ? place : best), 0);
};

const chunk = (kind, data) => {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
};

/** The colours of a picture as Chromium writes it: 8 bits of red, green and blue, perhaps with alpha. */
const drawn = (png) => {
  const packed = [];
  let [width, height, bytes] = [0, 0, 0];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString("latin1", at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") [width, height, bytes] = [data.readUInt32BE(0), data.readUInt32BE(4), data[9] === 6 ? 4 : 3];
    if (kind === "IDAT") packed.push(data);
    at += 12 + length;
  }
  const raw = inflateSync(Buffer.concat(packed));
  const line = width * bytes;
  const plain = Buffer.alloc(height * line);
  for (let at = 0; at < plain.length; at += 1) {
    const [row, column] = [Math.floor(at / line), at % line];
    const left = column >= bytes ? plain[at - bytes] : 0;
    const above = row > 0 ? plain[at - line] : 0;
    const corner = column >= bytes && row > 0 ? plain[at - line - bytes] : 0;
    plain[at] = raw[row * (line + 1) + 1 + column] + GUESSES[raw[row * (line + 1)]](left, above, corner);
  }
  const colours = new Uint32Array(width * height);
  for (const at of colours.keys()) colours[at] = plain.readUIntBE(at * bytes, 3);
  return { width, height, colours };
};

/** What PNG's filters guess a byte to be. */
const GUESSES = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  (left, above, corner) => {
    const guess = left + above - corner;
    const [toLeft, toAbove, toCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
    if (toLeft <= toAbove && toLeft <= toCorner) return left;
    return toAbove <= toCorner ? above : corner;
  },
];
