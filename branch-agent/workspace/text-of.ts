/** A file that a repository brings, read by the host: it may be a link to anything, such as a device that never ends. */
import { open, stat } from "node:fs/promises";

/** Bytes that are looked at. */
const most = 16 * 1024 ** 2;

/** Its beginning as text; empty where there is none, or no regular file. A device is not even opened: that alone may do something. */
export async function textOf(path: string): Promise<string> {
  const size = await stat(path).then(
    (found) => (found.isFile() ? Math.min(most, found.size) : 0),
    () => 0,
  );
  if (size === 0) return "";
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
  return buffer.subarray(0, bytesRead).toString("utf8");
}
