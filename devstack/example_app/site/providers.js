// Signing in by other providers, and the identities there that open the account.

import * as service from "./account.js";
import { PROVIDER } from "./config.js";
import { explain } from "./errors.js";
import { byId, element, given, go, main, say, when } from "./page.js";

// Both leave the page for the provider's; it comes back to /account, or to where it has begun with an error.
export const actions = {
  "sign-in-provider": () => service.goToProvider(PROVIDER, "/"),
  "link-provider": () => service.goToProvider(PROVIDER, "/account"),
  async unlink({ identityId }) {
    await service.unlink(identityId);
    go("/account", "The identity is unlinked.");
  },
};

export function offer() {
  const button = main.querySelector("#sign-in-provider, #link-provider");
  if (button) button.hidden = !PROVIDER;
  if (given.error) say(readError());
}

// Of a sign-in that failed: the address has it as JSON. Anybody can write an address, so its message is not shown.
function readError() {
  try {
    const { type } = JSON.parse(given.error);
    return explain({ type, message: "Signing in has failed." }).text;
  } catch {
    return "Signing in has failed.";
  }
}

export async function fill() {
  const identities = await service.listIdentities();
  byId("identities").replaceChildren(...identities.map(identityItem));
  byId("identities-part").hidden = !PROVIDER && !identities.length;
}

function identityItem({ $id, $createdAt, provider, providerEmail }) {
  const item = element("li", "");
  const button = element("button", "Unlink");
  Object.assign(button, { className: "quiet", name: "identityId", value: $id });
  button.setAttribute("form", "unlink");
  button.setAttribute("aria-label", `Unlink ${providerEmail || "the identity"} at ${provider}`);
  item.append(element("span", `${providerEmail || "No address"} at ${provider}, since ${when($createdAt)}`), button);
  return item;
}
