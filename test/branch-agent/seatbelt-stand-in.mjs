/**
 * Not Seatbelt: a stand-in for macOS's sandbox-exec on Linux, so that what starts it, watches it and ends it can be run there. It reads a
 * profile's rules on files and writes the words, each with a zero behind it, of a bubblewrap that confines to what they say; of the network
 * it knows only whether there is any. It can't become bubblewrap itself: Node lets go of the descriptors that it was given.
 */
import { existsSync, statSync } from "node:fs";

/** The first is not sandbox-exec's: a file that nobody without the powers of root may open. */
const [, , shut = "", option, profile = "", ...command] = process.argv;
if (option !== "-p" || command.length === 0) {
  process.stderr.write("sandbox-exec: usage\n");
  process.exit(64);
}

/** Paths of the rules that begin so. @param {string} rule */
function pathsOf(rule) {
  const rules = [...profile.matchAll(/^\(.*\n(?: {2}.*\n?)*/gm)].filter(([text]) => text.startsWith(`(${rule}\n`));
  const paths = rules.flatMap(([text]) => [...text.matchAll(/\(subpath ("(?:[^"\\]|\\.)*")\)/g)].map(([, path = ""]) => JSON.parse(path)));
  return paths.filter((path) => existsSync(path) && path !== "/" && !path.startsWith("/dev/"));
}

const written = new Set(pathsOf("allow file-write*"));
const binds = [
  ...pathsOf("allow file-read*").map((path) => [written.has(path) ? "--bind" : "--ro-bind", path, path]),
  ...pathsOf("deny file-write*").map((path) => ["--ro-bind", path, path]),
].sort((a, b) => String(a[1]).length - String(b[1]).length);

const covers = pathsOf("deny file-read*").map((path) =>
  statSync(path).isDirectory() ? ["--tmpfs", path, "--remount-ro", path] : ["--ro-bind", shut, path],
);

const linux = ["/lib", "/lib64", "/proc"].flatMap((path) => ["--ro-bind-try", path, path]);
const network = /^\(allow network-outbound/m.test(profile) ? [] : ["--unshare-net"];
const args = ["bwrap", ...linux, "--dev", "/dev", ...binds.flat(), ...covers.flat(), "--remount-ro", "/", "--cap-drop", "ALL", ...network];
process.stdout.write([...args, "--chdir", process.cwd(), "--", ...command].map((word) => `${word}\0`).join(""));
