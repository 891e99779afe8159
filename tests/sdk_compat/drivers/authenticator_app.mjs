// An authenticator app: RFC 6238 with the secret of the enrolment that it has seen.

import { createHmac } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export class AuthenticatorApp {
  #secret;
  #last = 0;

  // Reads the secret of an enrolment's answer before the page has it: while a page asks a question, nothing is read.
  async scan(route) {
    if (route.request().method() !== "POST") return route.continue();
    const response = await route.fetch();
    this.#secret = (await response.json()).secret;
    return route.fulfill({ response });
  }

  // Each code works once. The service takes that of the step before now too, so two codes need no waiting.
  code() {
    const now = Math.floor(Date.now() / 30_000);
    this.#last = Math.max(now - 1, this.#last + 1);
    const step = Buffer.alloc(8);
    step.writeBigUInt64BE(BigInt(this.#last));
    const digest = createHmac("sha1", decoded(this.#secret)).update(step).digest();
    const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fff_ffff;
    return String(number % 1_000_000).padStart(6, "0");
  }
}

function decoded(base32) {
  const bits = [...base32].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}
