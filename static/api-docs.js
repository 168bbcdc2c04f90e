// Starts Swagger UI on the element that names the OpenAPI document: <div id="swagger-ui" data-url="…">.
"use strict";

window.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("swagger-ui");
  window.SwaggerUIBundle({
    domNode: place,
    url: place.dataset.url,
    deepLinking: true,
    // The validator badge would call a server that is not ours.
    validatorUrl: null,
  });
});
