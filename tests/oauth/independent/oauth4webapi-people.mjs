import * as oauth from "oauth4webapi";
import { hear, obey, refusedOr, say } from "./lines.mjs";
import { loopback, start, validated } from "./oauth4webapi-start.mjs";

const given = await hear();
const { server, client, authentication } = await start(given);
const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const nonce = oauth.generateRandomNonce();

const url = new URL(server.authorization_endpoint);
url.search = new URLSearchParams({
  response_type: "code",
  client_id: client.client_id,
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  state,
  nonce,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
});
say({ visit: url });
const { callback } = await hear();

async function redeemed() {
  const answer = oauth.validateAuthResponse(server, client, new URL(callback), state);
  const reply = await oauth.authorizationCodeGrantRequest(
    server, client, authentication, answer, given.redirect_uri, verifier, loopback,
  );
  const expected = { expectedNonce: nonce, requireIdToken: true };
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, reply, expected);
  // The signature too: the library itself trusts the connection that the ID token came by.
  await oauth.validateApplicationLevelSignature(server, reply, loopback);
  return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) };
}

say({ tokens: await refusedOr(redeemed()) });

await obey({
  validate: ({ token }) => validated(server, token, given.issuer),
  userinfo: async ({ token, sub }) => {
    const reply = await oauth.userInfoRequest(server, client, token, loopback);
    return oauth.processUserInfoResponse(server, client, sub, reply);
  },
  refresh: async ({ token }) => {
    const reply = await oauth.refreshTokenGrantRequest(
      server, client, authentication, token, loopback,
    );
    return oauth.processRefreshTokenResponse(server, client, reply);
  },
  introspect: async ({ token, by }) => {
    const asking = by ? await start(by) : { client, authentication };
    const reply = await oauth.introspectionRequest(
      server, asking.client, asking.authentication, token, loopback,
    );
    return oauth.processIntrospectionResponse(server, asking.client, reply);
  },
  revoke: async ({ token }) => {
    const reply = await oauth.revocationRequest(server, client, authentication, token, loopback);
    return oauth.processRevocationResponse(reply);
  },
});
