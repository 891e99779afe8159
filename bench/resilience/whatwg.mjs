// Reads one JSON string a line and says how a browser reads that address, as one JSON line each.
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
  let answer = null;
  try {
    const url = new URL(JSON.parse(line));
    answer = {
      href: url.href,
      again: new URL(url.href).href,
      scheme: url.protocol,
      host: url.hostname,
      user: url.username + url.password,
      secrets: url.searchParams.getAll('secret'),
    };
  } catch {
    // An address that no browser opens.
  }
  console.log(JSON.stringify(answer));
}
