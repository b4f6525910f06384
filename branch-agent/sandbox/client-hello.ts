/** The beginning of a TLS connection, read for whom it is meant (RFC 8446, 4.1.2 and RFC 6066, 3). */

/** More than any client sends, with key shares of post-quantum size in it. */
const longest = 64 * 1024;
const handshake = 22;
const clientHello = 1;
const serverName = 0;
const encryptedClientHello = 0xfe0d;

export type Opening =
  /** Not yet to be told. */
  | { kind: "more" }
  | { kind: "other" }
  /** It begins as TLS does, and breaks its form. */
  | { kind: "broken" }
  /** `name` is null where the client names no host. `hidden`: a second hello, which nobody on the way can read, may name another. */
  | { kind: "tls"; name: string | null; hidden: boolean };

/** What the first bytes of a client are. */
export function openingOf(bytes: Buffer): Opening {
  if (bytes.length > 0 && bytes[0] !== handshake) return { kind: "other" };
  try {
    const message = handshakeOf(bytes);
    return message === null ? { kind: "more" } : { kind: "tls", ...read(message) };
  } catch (error) {
    if (error instanceof RangeError) return { kind: "broken" };
    throw error;
  }
}

/** The first handshake message, gathered from as many records as it lies in; null while it is not whole. */
function handshakeOf(bytes: Buffer): Buffer | null {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== handshake || bytes[at + 1] !== 3 || length === 0) throw new RangeError("no handshake record");
    pieces.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
    const message = Buffer.concat(pieces);
    if (message.length < 4) continue;
    const size = message.readUIntBE(1, 3);
    if (message[0] !== clientHello || size > longest) throw new RangeError("no client hello");
    if (message.length >= 4 + size) return message.subarray(4, 4 + size);
  }
  if (bytes.length > longest) throw new RangeError("too long");
  return null;
}

/** Reads past the end throw a RangeError. */
function read(hello: Buffer) {
  let at = 2 + 32;
  at += 1 + hello.readUInt8(at); // session
  at += 2 + hello.readUInt16BE(at); // cipher suites
  at += 1 + hello.readUInt8(at); // compression
  let name: string | null = null;
  let hidden = false;
  if (at === hello.length) return { name, hidden };
  const end = at + 2 + hello.readUInt16BE(at);
  for (at += 2; at < end; ) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    if (type === serverName) {
      // A list of one: type, length, name.
      const size = hello.readUInt16BE(at + 7);
      if (name !== null || hello[at + 6] !== 0 || length !== size + 5) throw new RangeError("no single name");
      name = hello.toString("latin1", at + 9, at + 9 + size).toLowerCase();
    }
    if (type === encryptedClientHello) hidden = true;
    at += 4 + length;
  }
  return { name, hidden };
}
