"use strict";

// The project is filled in, and the answers are those that today's SDKs get. A sign-in sets the API's cookie, which the
// browser sends with the calls that follow.
const place = document.getElementById("ui");
const { api, project } = place.dataset;

const ui = SwaggerUIBundle({
  url: `${api}/v1/openapi.json`,
  domNode: place,
  docExpansion: "none",
  filter: true,
  tryItOutEnabled: true,
  withCredentials: true,
  validatorUrl: null,
  onComplete: () => ui.preauthorizeApiKey("Project", project),
  requestInterceptor: (request) => {
    if (!request.loadSpec) request.headers["X-Appwrite-Response-Format"] ??= "1.9.5";
    return request;
  },
});
