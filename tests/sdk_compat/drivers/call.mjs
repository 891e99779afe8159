// One call of one of an SDK's services or of its client, answered as plain data. It is used in Node and, as text, inside a page: so it
// uses nothing from around itself. The SDKs of both eras differ in where their classes stand and in how they take
// parameters; nothing else is smoothed over.

export async function call(sdk, asked) {
  const client = new (sdk.Client ?? sdk.Appwrite ?? sdk)();
  client.setEndpoint(asked.settings.endpoint).setProject(asked.settings.project);
  if (asked.settings.key) client.setKey(asked.settings.key);
  if (asked.settings.jwt) client.setJWT(asked.settings.jwt);
  if (asked.settings.session) client.setSession(asked.settings.session);
  const services = {
    account: () => (sdk.Account ? new sdk.Account(client) : client.account),
    users: () => new sdk.Users(client),
    client: () => client,
  };
  const service = services[asked.service]();
  if (!asked.method) {
    const names = sdk.Account ? Object.getOwnPropertyNames(Object.getPrototypeOf(service)) : Object.keys(service);
    return { methods: names.filter((name) => name !== "constructor") };
  }
  const given = asked.positional ? Object.values(asked.args) : Object.keys(asked.args).length ? [asked.args] : [];
  try {
    const value = await service[asked.method](...given);
    return { ok: true, value: JSON.parse(JSON.stringify(value ?? null)) };
  } catch (error) {
    const { name, message, code, type, response } = error;
    return { ok: false, error: name, message, code, type: type ?? response?.type ?? null };
  }
}
