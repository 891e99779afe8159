// Serves npm's oidc-provider, a certified OpenID Connect provider: oidc.mjs SETUP, a JSON object with its issuer and its
// clients. Its pages take any login and any password; who signs in as pia is pia@example.com.

import { Provider } from "oidc-provider";

import { converse, say } from "./lines.mjs";

const { issuer, clients } = JSON.parse(process.argv[2]);

const provider = new Provider(issuer, {
  clients,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (_ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, email: `${sub}@example.com`, email_verified: true, name: `${sub} of the provider` }),
  }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
});

const { hostname, port } = new URL(issuer);
const server = provider.listen(Number(port), hostname, () => say({ ready: issuer }));
server.on("error", (error) => say({ unfit: error.message }));
await converse(() => ({}));
server.closeAllConnections();
server.close();
