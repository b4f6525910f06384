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
    return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
  },
};
