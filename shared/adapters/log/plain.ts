/** Any value to plain JSON data, without ever throwing: what a log line can hold. */

const maxDepth = 6;
const maxItems = 50;

/** Bounds depth and size, cuts circles, names what JSON can't hold. Each string passes `text`. */
export function plain(value: unknown, text: (value: string) => string, above: readonly unknown[] = []): unknown {
  switch (typeof value) {
    case "string":
      return text(value);
    case "boolean":
    case "undefined":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return String(value);
    case "object":
      return value === null ? null : plainObject(value, text, above);
    default:
      return `[${typeof value}]`;
  }
}

function plainObject(value: object, text: (value: string) => string, above: readonly unknown[]): unknown {
  if (above.includes(value)) return "[circular]";
  if (above.length >= maxDepth) return "[too deep]";
  const inside = [...above, value];
  try {
    if (value instanceof Error) return plainError(value, text, inside);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[no date]" : value.toISOString();
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Map) return plainObject(Object.fromEntries(value), text, inside);
    if (value instanceof Set || Array.isArray(value)) {
      const items = Array.from(value).slice(0, maxItems);
      const more = (Array.isArray(value) ? value.length : value.size) - items.length;
      return [...items.map((item) => plain(item, text, inside)), ...(more > 0 ? [`[${more} more]`] : [])];
    }
    const entries = Object.entries(value);
    const kept = entries.slice(0, maxItems).map(([key, item]) => [text(key), plain(item, text, inside)]);
    return Object.fromEntries(entries.length > maxItems ? [...kept, ["…", `${entries.length - maxItems} more`]] : kept);
  } catch {
    // A getter or proxy that throws.
    return "[unreadable]";
  }
}

function plainError(error: Error, text: (value: string) => string, inside: readonly unknown[]): unknown {
  const { cause } = error;
  const code = "code" in error ? error.code : undefined;
  return {
    name: text(String(error.name)),
    ...(code === undefined ? {} : { code: plain(code, text, inside) }),
    message: text(String(error.message)),
    ...(error.stack === undefined ? {} : { stack: text(String(error.stack)) }),
    ...(error instanceof AggregateError ? { errors: plain(error.errors, text, inside) } : {}),
    ...(cause === undefined ? {} : { cause: plain(cause, text, inside) }),
  };
}
