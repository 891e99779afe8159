// The conversation with the test: one JSON object a line, a question on stdin, its answer on stdout.

import { createInterface } from "node:readline";

export const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");

export async function converse(answer) {
  for await (const line of createInterface({ input: process.stdin })) say(await answer(JSON.parse(line)));
}
