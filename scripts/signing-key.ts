/** `npm run --silent signing-key`: a new value for HQ_SIGNING_KEY, on standard output and nowhere else. */
import { newKeyPair } from "#adapters/signer/jose.ts";

process.stdout.write(`${(await newKeyPair()).privateJwk}\n`);
