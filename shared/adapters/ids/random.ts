import type { Ids } from "#ports/ids.ts";

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
const length = 16;
/** The largest multiple of 36 in a byte: bytes from here on would make the first letters more likely. */
const fair = 256 - (256 % alphabet.length);

export const randomIds: Ids = {
  next(prefix) {
    let id = "";
    while (id.length < length) {
      for (const byte of crypto.getRandomValues(new Uint8Array(length - id.length))) {
        if (byte < fair) id += alphabet.charAt(byte % alphabet.length);
      }
    }
    return `${prefix}_${id}`;
  },

  secret(bytes) {
    let secret: string;
    // A join code is an argument on a command line, where a hyphen would make it an option.
    do secret = base64url(crypto.getRandomValues(new Uint8Array(bytes)));
    while (secret.startsWith("-"));
    return secret;
  },
};

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
