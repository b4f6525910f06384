/** Finds secrets by value, however they are spelled: raw, base64, hex, URL and JSON escapes, split by white space or zero-width characters. */
import type { Redactor } from "#ports/redactor.ts";
import { bytesOf, dense, type View, viewsOf } from "./views.ts";

/**
 * Shorter values are not learned: `true`, `3000` or `admin` would be cut out of every ordinary text, and what was hidden
 * could be read from the gaps. A secret this short is no secret; whoever loads secrets must refuse it.
 */
export const minSecretLength = 8;

/** A text in which replacing one secret keeps forming another is withheld after so many rounds. */
const maxRounds = 4;

interface Needle {
  name: string;
  bytes: string;
  in: "raw" | "base64" | "hex";
}

interface Hit {
  name: string;
  from: number;
  to: number;
  size: number;
}

export function knownValues(): Redactor {
  const needles = new Map<string, Needle>();

  return {
    learn(secrets) {
      for (const [name, value] of Object.entries(secrets)) {
        for (const part of partsOf(value ?? "")) {
          for (const needle of needlesOf(name, part)) {
            const key = `${needle.in}:${needle.bytes}`;
            if (!needles.has(key)) needles.set(key, needle);
          }
        }
      }
    },

    clean(text) {
      if (needles.size === 0) return text;
      let cleaned = text;
      for (let round = 0; round < maxRounds; round += 1) {
        const hits = find(cleaned, needles.values());
        if (hits.length === 0) return cleaned;
        cleaned = replace(cleaned, hits, [...needles.values()]);
      }
      return "[withheld]";
    },
  };
}

/** The value, and what in it is a secret by itself: a URL's password, the private members of a JWK, the lines of a PEM. */
function partsOf(value: string): string[] {
  const parts = [value, value.replaceAll("\\n", "\n"), ...passwords(value), ...privateMembers(value)];
  if (value.includes("-----BEGIN ")) parts.push(...value.split(/\n|\\n/).filter((line) => line.length >= 32 && !line.startsWith("-----")));
  return parts.filter((part) => part.length >= minSecretLength);
}

function passwords(value: string): string[] {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^/@]*?:([^/]+)@/i.exec(value)?.[1];
  if (!password) return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/** RFC 7518: the members of a JWK that are private. */
const privateNames = ["d", "k", "p", "q", "dp", "dq", "qi"];

function privateMembers(value: string): string[] {
  if (!value.trimStart().startsWith("{")) return [];
  try {
    const jwk = JSON.parse(value);
    return privateNames.map((name) => jwk[name]).filter((member) => typeof member === "string");
  } catch {
    return [];
  }
}

function needlesOf(name: string, value: string): Needle[] {
  const bytes = bytesOf(value);
  const raw = bytesWithoutInvisible(bytes);
  const hex = Array.from(bytes, (char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const form = raw === bytes ? [] : [bytesWithoutInvisible(bytes.replaceAll(" ", "+"))];
  const needles: Needle[] = [
    ...base64s(bytes).map((text): Needle => ({ name, bytes: text, in: "base64" })),
    { name, bytes: hex, in: "hex" },
  ];
  for (const text of [raw, ...form]) if (text.length >= minSecretLength) needles.push({ name, bytes: text, in: "raw" });
  return needles;
}

/**
 * Base64 of the bytes as part of something longer: the first byte can fall on each of three places in a group, and only the
 * characters whose six bits all come from the value are the same whatever stands around it.
 */
function base64s(bytes: string): string[] {
  return [0, 1, 2].map((offset) => {
    const text = btoa("\0".repeat(offset) + bytes);
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
}

function bytesWithoutInvisible(bytes: string) {
  return dense({ bytes, from: new Int32Array(bytes.length), to: new Int32Array(bytes.length) }).bytes;
}

function find(text: string, needles: Iterable<Needle>): Hit[] {
  const views = viewsOf(text).map((view) => ({
    view,
    raw: view.bytes,
    base64: view.bytes.replaceAll("-", "+").replaceAll("_", "/"),
    hex: view.bytes.toLowerCase(),
  }));
  const hits: Hit[] = [];
  for (const needle of needles) {
    for (const spelled of views) hits.push(...findIn(spelled[needle.in], spelled.view, needle));
  }
  return hits;
}

function findIn(bytes: string, view: View, needle: Needle): Hit[] {
  const hits: Hit[] = [];
  for (let at = bytes.indexOf(needle.bytes); at !== -1; at = bytes.indexOf(needle.bytes, at + 1)) {
    const last = at + needle.bytes.length - 1;
    hits.push({ name: needle.name, from: view.from[at] ?? 0, to: view.to[last] ?? 0, size: needle.bytes.length });
  }
  return hits;
}

/** Overlapping hits become one, named after the longest. */
function replace(text: string, hits: readonly Hit[], needles: readonly Needle[]): string {
  let cleaned = "";
  let done = 0;
  for (const hit of merge(hits)) {
    cleaned += text.slice(done, hit.from) + label(hit.name, needles);
    done = hit.to;
  }
  return cleaned + text.slice(done);
}

function merge(hits: readonly Hit[]): Hit[] {
  const merged: Hit[] = [];
  for (const hit of hits.toSorted((a, b) => a.from - b.from || b.to - a.to)) {
    const last = merged.at(-1);
    if (!last || hit.from >= last.to) {
      merged.push({ ...hit });
      continue;
    }
    if (hit.size > last.size) Object.assign(last, { name: hit.name, size: hit.size });
    last.to = Math.max(last.to, hit.to);
  }
  return merged;
}

/** A secret can be a word of some secret's name (`PASSWORD`): then the name would tell it. */
function label(name: string, needles: readonly Needle[]) {
  const text = `[${name}]`;
  return find(text, needles).length === 0 ? text : "[secret]";
}
