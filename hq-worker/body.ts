/** Request bodies, bounded before they are held. */
import { UacError } from "#core/errors.ts";

/** The body as text. Throws `too_large` beyond `maxBytes`, whatever the headers say. */
export async function readBody(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () => new UacError("too_large", `The body is larger than ${maxBytes} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();
  const reader = request.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > maxBytes) {
      await reader.cancel();
      throw tooLarge();
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** JSON, with a bound on nesting. Throws `bad_input`. */
export function parseJson(text: string, maxDepth = 32): unknown {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (inString) {
      if (char === "\\") i += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{" || char === "[") depth += 1;
    else if (char === "}" || char === "]") depth -= 1;
    if (depth > maxDepth) throw new UacError("bad_input", `The JSON is nested deeper than ${maxDepth} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UacError("bad_input", "The body is not JSON", { cause });
  }
}
