/** Keeps the head and the tail of an endless stream in bounded memory. */

export interface BoundedOutput {
  push(chunk: Buffer): void;
  /** What was kept, with a line in place of the middle. */
  read(): { output: string; truncated: boolean };
}

/** @param max bytes kept: half of them from the start, half from the end */
export function boundedOutput(max: number): BoundedOutput {
  const headMax = Math.ceil(max / 2);
  const tailMax = max - headMax;
  const head: Buffer[] = [];
  let headSize = 0;
  let tail: Buffer[] = [];
  let tailSize = 0;
  let total = 0;

  function push(chunk: Buffer) {
    total += chunk.length;
    const forHead = chunk.subarray(0, headMax - headSize);
    if (forHead.length > 0) {
      head.push(forHead);
      headSize += forHead.length;
    }
    const rest = chunk.subarray(forHead.length);
    if (rest.length === 0) return;
    tail.push(rest);
    tailSize += rest.length;
    // Twice the bound before it is cut, so that a stream of small chunks costs one copy for many of them.
    if (tailSize > 2 * tailMax + 65_536) {
      tail = [Buffer.from(lastOf(Buffer.concat(tail), tailMax))];
      tailSize = tail[0]?.length ?? 0;
    }
  }

  function read() {
    const start = Buffer.concat(head);
    const end = Buffer.concat(tail);
    if (total <= max) return { output: Buffer.concat([start, end]).toString("utf8"), truncated: false };
    const first = withoutCutEnd(start);
    const last = withoutCutStart(lastOf(end, tailMax));
    const left = total - first.length - last.length;
    return { output: `${first.toString("utf8")}\n… ${left} bytes left out …\n${last.toString("utf8")}`, truncated: true };
  }

  return { push, read };
}

function lastOf(buffer: Buffer, size: number) {
  return buffer.subarray(Math.max(0, buffer.length - size));
}

const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;

/** Drops the UTF-8 character that the cut went through, if it did. */
function withoutCutEnd(buffer: Buffer) {
  let lead = buffer.length - 1;
  while (lead >= 0 && buffer.length - lead < 4 && isContinuation(buffer[lead])) lead--;
  const byte = buffer[lead] ?? 0;
  const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
  return buffer.length - lead < length ? buffer.subarray(0, lead) : buffer;
}

function withoutCutStart(buffer: Buffer) {
  let start = 0;
  while (start < 3 && isContinuation(buffer[start])) start++;
  return buffer.subarray(start);
}
