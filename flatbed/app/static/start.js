"use strict";
// The reference reads our own document and asks nothing of another host (see the page's CSP).
Scalar.createApiReference("#reference", {
  url: "/openapi.json",
  withDefaultFonts: false,
  telemetry: false,
  proxyUrl: "",
  mcp: { disabled: true },
  agent: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: "never",
});
