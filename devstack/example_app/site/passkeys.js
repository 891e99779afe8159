// Passkeys: adding one, signing in with it, and removing it.

import * as service from "./account.js";
import { byId, element, go, main, say, when } from "./page.js";

// Browsers have them on HTTPS and on localhost alone; older ones can't read the service's options.
const usable = Boolean(window.PublicKeyCredential?.parseCreationOptionsFromJSON);

export const actions = {
  async "sign-in-passkey"() {
    await service.signInWithPasskey();
    go("/account");
  },
  async "add-passkey"({ name }) {
    await service.addPasskey(name);
    go("/passkeys", "The passkey is added.");
  },
  async "remove-passkey"({ passkeyId }) {
    await service.removePasskey(passkeyId);
    go("/passkeys", "The passkey is removed. It opens nothing any more; your device may still list it.");
  },
};

export const fillers = {
  async "/passkeys"() {
    byId("add-passkey").hidden = !usable;
    if (!usable) say("This browser can't use passkeys here.");
    const passkeys = await service.listPasskeys();
    const list = passkeys.map(passkeyItem);
    byId("passkeys").replaceChildren(...(list.length ? list : [element("li", "None yet.")]));
  },
};

export function offerSignIn() {
  const form = main.querySelector("#sign-in-passkey");
  if (form) form.hidden = !usable;
}

function passkeyItem({ $id, $createdAt, name, accessedAt }) {
  const used = accessedAt ? `last used ${when(accessedAt)}` : "not used yet";
  const title = name || "Passkey";
  const item = element("li", "");
  const button = element("button", "Remove");
  Object.assign(button, { className: "quiet", name: "passkeyId", value: $id });
  button.setAttribute("form", "remove-passkey");
  button.setAttribute("aria-label", `Remove ${title}, added ${when($createdAt)}`);
  item.append(element("span", `${title}, added ${when($createdAt)}, ${used}`), button);
  return item;
}
