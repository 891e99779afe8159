// better-auth behind Node's own HTTP server, as its documentation has it: `pg`, sessions in the database.
//
// `node better_auth_app.mjs prepare COUNT` makes the schema and the members, `hash COUNT` measures a hash of the
// defaults, `serve PORT` serves.

import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { createWriteStream } from "node:fs";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { betterAuth } from "better-auth";
import { hashPassword, verifyPassword } from "better-auth/crypto";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import nodemailer from "nodemailer";
import pg from "pg";

const { ACCESS_LOG, DATABASE_URL, PASSWORD, SECRET, SMTP_PORT } = process.env;
const [order, argument] = process.argv.slice(2);

// The algorithm of its defaults at its least cost, in the same thread pool.
const derive = promisify(scrypt);
const CHEAP = { N: 2, r: 1, p: 1 };
const password = {
  async hash(plain) {
    const salt = randomBytes(16).toString("hex");
    return `${salt}:${(await derive(plain.normalize("NFKC"), salt, 64, CHEAP)).toString("hex")}`;
  },
  async verify({ hash, password: plain }) {
    const [salt, key] = hash.split(":");
    return timingSafeEqual(await derive(plain.normalize("NFKC"), salt, 64, CHEAP), Buffer.from(key, "hex"));
  },
};

const relay = SMTP_PORT && nodemailer.createTransport({ host: "127.0.0.1", port: Number(SMTP_PORT), pool: true });

const auth = betterAuth({
  baseURL: "http://localhost",
  secret: SECRET,
  database: new pg.Pool({ connectionString: DATABASE_URL, max: 10 }),
  emailAndPassword: {
    enabled: true,
    autoSignIn: false,
    password,
    async sendResetPassword({ user, url }) {
      if (!relay) return;
      // Not awaited, as its documentation advises.
      relay
        .sendMail({
          from: "no-reply@peers.example",
          to: user.email,
          subject: "Reset your password",
          text: `Open this link to choose a new password:\n\n${url}\n`,
          html: `<p>Open <a href="${url}">this link</a> to choose a new password.</p>`,
        })
        .catch((error) => console.error(error));
    },
  },
  rateLimit: { enabled: true }, // its own numbers, as in production
  telemetry: { enabled: false },
});

async function prepare(count) {
  await (await getMigrations(auth.options)).runMigrations();
  for (let number = 0; number < count; number += 1) {
    const email = `member-${number}@example.com`;
    await auth.api.signUpEmail({ body: { email, password: PASSWORD, name: `Member ${number}` } });
  }
  process.exit(0);
}

// The processor time of one verification.
async function hashSeconds(count) {
  const stored = await hashPassword(PASSWORD);
  const began = process.cpuUsage();
  for (let number = 0; number < count; number += 1) await verifyPassword({ hash: stored, password: PASSWORD });
  const { user, system } = process.cpuUsage(began);
  console.log((user + system) / 1e6 / count);
  process.exit(0);
}

function serve(port) {
  const handle = toNodeHandler(auth);
  const log = createWriteStream(ACCESS_LOG, { flags: "a" });
  const server = createServer((request, response) => {
    const began = process.hrtime.bigint();
    response.on("finish", () => {
      const { method, url, headers } = request;
      const milliseconds = Number(process.hrtime.bigint() - began) / 1e6;
      const line = { time: new Date().toISOString(), method, url, status: response.statusCode, milliseconds };
      log.write(`${JSON.stringify({ ...line, ip: headers["x-forwarded-for"], agent: headers["user-agent"] })}\n`);
    });
    handle(request, response);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(port, "127.0.0.1");
}

await { prepare, serve, hash: hashSeconds }[order](Number(argument));
