/** A command's output as the model sees it: its beginning and its end, and where the rest is. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of output that are kept, in a log. */
export const keptOutput = 2 * 1024 ** 2;
const shownLines = 128;
const shownBytes = 10 * 1024;

/** The first and the last lines, and of these the first and last bytes. */
export function shorten(output: string): string {
  const lines = output.split("\n");
  const over = lines.length - 2 * shownLines;
  const cut = over > 0 ? [...lines.slice(0, shownLines), `… ${over} lines left out …`, ...lines.slice(-shownLines)].join("\n") : output;
  const bytes = Buffer.from(cut, "utf8");
  if (bytes.length <= shownBytes) return cut;
  // Cut at characters: a half one at either edge becomes a replacement mark, which is dropped.
  const head = bytes
    .subarray(0, shownBytes / 2)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
  const tail = bytes
    .subarray(-shownBytes / 2)
    .toString("utf8")
    .replace(/^\uFFFD+/, "");
  return `${head}\n… ${bytes.length - shownBytes} bytes left out …\n${tail}`;
}

/** Writes the whole into a log that `read` opens, and says so. Named by the call, so that a model told of it finds it again after a resume. */
export async function keep(logDir: string, key: string, output: string): Promise<string> {
  const path = join(logDir, `${key.replace(/[^A-Za-z0-9_-]/g, "_").slice(-100)}.log`);
  await writeFile(path, output, { mode: 0o600 });
  return `\n[all of it: read "${path}"]`;
}
