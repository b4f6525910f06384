/**
 * The lines of a recording. Only a line feed ends one: JSON may hold U+2028 and U+2029 as they are, and models write them, so that
 * `node:readline`, to which they are ends of lines, would cut an object in two.
 */

/** Characters. A request with its images may be long; what is longer is given as null. */
export const longestLine = 64 * 1024 * 1024;

export async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<string | null> {
  let pieces: string[] = [];
  let length = 0;
  const line = () => (length > longestLine ? null : pieces.join(""));
  for await (const chunk of text) {
    const parts = chunk.split("\n");
    for (const [i, part] of parts.entries()) {
      length += part.length;
      if (length <= longestLine) pieces.push(part);
      else pieces = [];
      if (i === parts.length - 1) continue;
      yield line();
      pieces = [];
      length = 0;
    }
  }
  if (length > 0) yield line();
}
