// Pictures of pages that lie in files. Reads a list of {page, picture, width, scheme} from stdin.

import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

import { start } from "./browser.mjs";

const browser = await start();
const page = await browser.newPage();
for (const { page: file, picture, width, scheme } of JSON.parse(await text(process.stdin))) {
  await page.setViewportSize({ width, height: 600 });
  await page.emulateMedia({ colorScheme: scheme });
  await page.goto(pathToFileURL(file).href);
  await page.screenshot({ path: picture, fullPage: true });
}
await browser.close();
