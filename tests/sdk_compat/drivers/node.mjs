// Drives a server SDK: node.mjs PACKAGE

import { call } from "./call.mjs";
import { converse } from "./lines.mjs";

const loaded = await import(process.argv[2]);
const sdk = loaded.Account ? loaded : loaded.default;

await converse((asked) => call(sdk, asked));
