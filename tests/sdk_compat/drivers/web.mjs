// Drives a web SDK in a browser: web.mjs PAGE, the address of a page that has loaded it.

import { call } from "./call.mjs";
import { start } from "./browser.mjs";
import { converse, say } from "./lines.mjs";

const home = process.argv[2];
const browser = await start();
const context = await browser.newContext();
const page = await context.newPage();

// Some SDKs export a namespace, some the class itself; both stand under this name.
const inPage = (asked) => page.evaluate(`(${call})(window.Appwrite, ${JSON.stringify(asked)})`);

const acts = {
  call: inPage,
  // A method that sends the person elsewhere: what the browser was answered there, and back home.
  async leave(asked) {
    const arrival = page.waitForResponse((response) => response.request().isNavigationRequest());
    await inPage(asked).catch(() => {}); // the page may be gone before it can say that it left
    const response = await arrival;
    const told = await response.json().catch(() => ({}));
    await page.goto(home);
    return { ok: response.ok(), code: response.status(), type: told.type ?? null, message: told.message ?? "" };
  },
  // A method that sends the person elsewhere, all the way until the person is back at the page.
  async follow(asked) {
    const service = new URL(asked.settings.endpoint).origin;
    await page.route(`${asked.front}/**`, (route) =>
      route.fulfill({ status: 302, headers: { location: route.request().url().replace(asked.front, service) } }),
    );
    const back = page.waitForURL((url) => url.href.startsWith(`${home}?`));
    await inPage(asked).catch(() => {}); // as above
    await back;
    const value = page.url();
    await page.unroute(`${asked.front}/**`);
    await page.goto(home);
    return { ok: true, value };
  },
  async open(asked) {
    await page.goto(asked.address);
    return {};
  },
  async cookies(asked) {
    return { names: (await context.cookies(asked.address)).map((cookie) => cookie.name) };
  },
  async forget(asked) {
    if (asked.what === "cookies") await context.clearCookies();
    else await page.evaluate("window.localStorage.clear()");
    return {};
  },
};

try {
  await page.goto(home);
  say({ ready: browser.version() });
  await converse((asked) => acts[asked.act ?? "call"](asked));
} finally {
  await browser.close();
}
