// What every case with openid-client begins with: discovery, and who the client is.
import { importJWK } from "jose";
import * as openid from "openid-client";

const authentications = {
  client_secret_basic: ({ secret }) => openid.ClientSecretBasic(secret),
  client_secret_post: ({ secret }) => openid.ClientSecretPost(secret),
  private_key_jwt: async ({ jwk }) =>
    openid.PrivateKeyJwt({ key: await importJWK(jwk, "ES256"), kid: jwk.kid }),
  none: () => openid.None(),
};

export const start = async (given) =>
  openid.discovery(
    new URL(given.issuer),
    given.client_id,
    {},
    await authentications[given.method](given),
    {
      algorithm: given.algorithm ?? "oauth2",
      execute: [openid.allowInsecureRequests], // plain HTTP, on the loopback
    },
  );
