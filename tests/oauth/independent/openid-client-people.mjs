import * as openid from "openid-client";
import { hear, obey, refusedOr, say } from "./lines.mjs";
import { start } from "./openid-client-start.mjs";

const given = await hear();
const configuration = await start(given);
// The signature of an ID token too: else the library trusts the connection that it came by.
openid.enableNonRepudiationChecks(configuration);
const pkceCodeVerifier = openid.randomPKCECodeVerifier();
const expectedState = openid.randomState();
const expectedNonce = openid.randomNonce();

const url = openid.buildAuthorizationUrl(configuration, {
  redirect_uri: given.redirect_uri,
  scope: given.scope,
  state: expectedState,
  nonce: expectedNonce,
  code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
});
say({ visit: url });
const { callback } = await hear();

async function redeemed() {
  const tokens = await openid.authorizationCodeGrant(configuration, new URL(callback), {
    pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true,
  });
  return { ...tokens, claims: tokens.claims() };
}

say({ tokens: await refusedOr(redeemed()) });

await obey({
  userinfo: ({ token, sub }) => openid.fetchUserInfo(configuration, token, sub),
  refresh: ({ token }) => openid.refreshTokenGrant(configuration, token),
  introspect: async ({ token, by }) =>
    openid.tokenIntrospection(by ? await start(by) : configuration, token),
  revoke: ({ token }) => openid.tokenRevocation(configuration, token),
});
