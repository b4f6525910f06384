/** Every refusal of the coder's tools: it says what to do, and nothing has changed. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { hands, inAWorktree, put, refusal, root } from "./hands.ts";

inAWorktree();

const edit = (...edits: object[]) => ({ path: "seen.txt", edits });
const patch = (...lines: string[]) => ({ input: ["*** Begin Patch", ...lines, "*** End Patch"].join("\n") });

/** The tree as one digest: names and contents. */
function tree(): string {
  const hash = createHash("sha256");
  for (const entry of readdirSync(root, { withFileTypes: true, recursive: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name === ".git") continue;
    hash.update(entry.name);
    if (entry.isFile() && entry.name !== "large.txt") hash.update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest("hex");
}

let before = "";
let call: ReturnType<typeof hands>;
beforeAll(async () => {
  put({
    "seen.txt": "one\ntwo\ntwo\n",
    "unseen.txt": "one\n",
    "latin.txt": Buffer.from("caf\xe9\n", "latin1"),
    "bin.dat": Buffer.from([1, 0, 2]),
  });
  put({ "large.txt": "x".repeat(10 * 1024 ** 2 + 1), "dir/file.txt": "f\n", "image.png": Buffer.from("\x89PNG\r\n\x1a\n", "latin1") });
  symlinkSync("nowhere", join(root, "dangling"));
  symlinkSync("loop", join(root, "loop"));
  execFileSync("mkfifo", [join(root, "pipe")]);
  call = hands();
  for (const path of ["seen.txt", "latin.txt"]) await call("read", { path });
  before = tree();
});

it.each<[tool: string, input: object, expected: RegExp]>([
  ["read", { path: "missing" }, /no file "missing"\. Use glob/],
  ["read", { path: "dir" }, /is a directory\. Use glob with "dir\/\*"/],
  ["read", { path: "." }, /is a directory\. Use glob/],
  ["read", { path: "pipe" }, /no regular file/],
  ["read", { path: "large.txt" }, /10485761 bytes, over 10485760\. Use grep, or bash/],
  ["read", { path: "bin.dat" }, /binary.*bash with file/],
  ["read", { path: "image.png" }, /damaged or cut off/],
  ["read", { path: "seen.txt", offset: 9 }, /has 3 lines/],
  ["read", { path: "dangling" }, /leads nowhere/],
  ["read", { path: "loop" }, /link that leads nowhere|loop of links/],
  ["read", { path: "seen.txt/below" }, /no file|where a directory/],
  ["edit", { path: "unseen.txt", edits: [{ old: "one", new: "1" }] }, /not read "unseen.txt".*Read it first/],
  ["edit", { path: "missing", edits: [{ old: "one", new: "1" }] }, /no file/],
  ["edit", { path: "latin.txt", edits: [{ old: "caf", new: "x" }] }, /not UTF-8.*bash/],
  ["edit", edit({ old: "three", new: "3" }), /is unchanged\. old is not in the file.*Read the file again/],
  ["edit", edit({ old: "one", new: "1" }, { old: "four", new: "4" }), /is unchanged\. Edit 2 of 2: old is not in the file/],
  ["edit", edit({ old: "two", new: "2" }), /matches 2 places \(lines 2, 3\)\. Add lines around it, or set replace_all/],
  ["edit", edit({ old: "one", new: "one" }), /old and new are the same/],
  ["edit", edit({ old: "", new: "x" }), /old is empty.*use write/],
  ["edit", edit({ old: "one\ntwo", new: "x" }, { old: "one", new: "y" }), /overlaps with edit 2. Make one edit/],
  ["edit", edit({ old: "one", new: "\ud83d" }), /half of a surrogate pair/],
  ["edit", edit({ old: "one\n", new: "one\r\n" }), /nothing would change/],
  ["write", { path: "unseen.txt", content: "x" }, /not read/],
  ["write", { path: "new.txt", content: "\udc00" }, /half of a surrogate pair/],
  ["write", { path: "dir", content: "x" }, /is a directory/],
  ["write", { path: "fresh/", content: "x" }, /is a directory/],
  ["write", { path: "seen.txt/below", content: "x" }, /where a directory of the path should be/],
  ["write", { path: "../out.txt", content: "x" }, /outside the worktree/],
  ["write", { path: ".git/hooks/pre-commit", content: "x" }, /belongs to git/],
  ["write", { path: "n".repeat(300), content: "x" }, /too long/],
  ["apply_patch", { input: "no patch" }, /No file is changed\. A patch begins/],
  ["apply_patch", patch("*** Update File: unseen.txt", "-one", "+1"), /not read/],
  [
    "apply_patch",
    patch("*** Update File: seen.txt", "-two", "+2"),
    /No file is changed\. "seen.txt": Hunk 1 of 1: its lines are there 2 times/,
  ],
  ["job", { id: "1-1", action: "poll" }, /no job "1-1" \(there are: none\)/],
  ["job", { id: "1-1", action: "kill" }, /no job/],
  ["grep", { pattern: "(", path: "." }, /Correct the pattern|no regular expression/],
  ["grep", { pattern: "x", path: "missing" }, /no "missing" to search in/],
  ["grep", { pattern: "x", glob: "../*" }, /leads out/],
  ["glob", { pattern: "/etc/*" }, /leads out/],
  ["glob", { pattern: "*", path: "missing" }, /no directory "missing"/],
])("%s %j", async (tool, input, expected) => {
  expect(await call(tool, input)).toMatchObject(refusal(expected));
  expect(tree()).toBe(before);
});
