// Loaded before openapi-to-postmanv2, which invents ids and values by chance: the same document gives the same file.
const crypto = require("node:crypto");

let state = 1;
Math.random = () => (state = (state * 48271) % 2147483647) / 2147483647; // Park and Miller's generator

const fill = (bytes) => bytes.forEach((_, index) => (bytes[index] = Math.floor(Math.random() * 256))) ?? bytes;
crypto.randomFillSync = fill;
crypto.randomBytes = (size) => fill(Buffer.alloc(size));
crypto.randomUUID = undefined; // uuid falls back to the above
