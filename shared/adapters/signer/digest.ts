/** Digests that people compare and that the database keeps instead of secrets. */

/** SHA-256 as base64url, 43 characters: what is stored of a join code or a login token. Only for secrets of 128 bits or more. */
export async function hashSecret(text: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return btoa(String.fromCharCode(...hash))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** The first 80 bits of a key's thumbprint (its `kid`) for a person to compare: `ab12-cd34-ef56-7890-1234`. */
export function fingerprint(kid: string): string {
  const bytes = atob(kid.replaceAll("-", "+").replaceAll("_", "/"));
  const hex = Array.from(bytes.slice(0, 10), (char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{4})(?=.)/g, "$1-");
}
