// What every case with oauth4webapi begins with: discovery, and who the client is.
import { importJWK } from "jose";
import * as oauth from "oauth4webapi";

// The library refuses plain HTTP, also on the loopback, unless it is told.
export const loopback = { [oauth.allowInsecureRequests]: true };

const authentications = {
  client_secret_basic: ({ secret }) => oauth.ClientSecretBasic(secret),
  client_secret_post: ({ secret }) => oauth.ClientSecretPost(secret),
  private_key_jwt: async ({ jwk }) =>
    oauth.PrivateKeyJwt({ key: await importJWK(jwk, "ES256"), kid: jwk.kid }),
  none: () => oauth.None(),
};

export async function start(given) {
  const issuer = new URL(given.issuer);
  const algorithm = given.algorithm ?? "oauth2";
  const answer = await oauth.discoveryRequest(issuer, { algorithm, ...loopback });
  return {
    server: await oauth.processDiscoveryResponse(issuer, answer),
    client: { client_id: given.client_id },
    authentication: await authentications[given.method](given),
  };
}

// RFC 9068, as a resource server checks the token against the issuer's keys.
export async function validated(server, token, audience) {
  const headers = { Authorization: `Bearer ${token}` };
  const request = new Request(`${audience}/v1/campaigns`, { headers });
  return oauth.validateJwtAccessToken(server, request, audience, loopback);
}
