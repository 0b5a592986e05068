import * as oauth from "oauth4webapi";
import { hear, refusedOr, say } from "./lines.mjs";
import { loopback, start, validated } from "./oauth4webapi-start.mjs";

const given = await hear();
const { server, client, authentication } = await start(given);
const parameters = given.scope ? { scope: given.scope } : {};
const answer = await oauth.clientCredentialsGrantRequest(
  server, client, authentication, parameters, loopback,
);
const tokens = await refusedOr(oauth.processClientCredentialsResponse(server, client, answer));
say({ tokens });
if (tokens.access_token) {
  say({ claims: await validated(server, tokens.access_token, given.issuer) });
}
