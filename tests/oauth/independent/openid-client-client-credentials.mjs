import * as openid from "openid-client";
import { hear, refusedOr, say } from "./lines.mjs";
import { start } from "./openid-client-start.mjs";

const given = await hear();
const configuration = await start(given);
const parameters = given.scope ? { scope: given.scope } : {};
say({ tokens: await refusedOr(openid.clientCredentialsGrant(configuration, parameters)) });
