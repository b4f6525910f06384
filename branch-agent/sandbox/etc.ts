/** What a sandboxed command sees of /etc. */
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ownDirectory } from "./own-directory.ts";

/** What ordinary programs need. All else stays outside, `/etc/shadow` first. */
const shown = [
  "alternatives crypto-policies group hosts ld.so.cache localtime nsswitch.conf os-release passwd pki/ca-trust pki/tls/cert.pem",
  "pki/tls/certs pki/tls/openssl.cnf protocols services ssl/cert.pem ssl/certs ssl/openssl.cnf",
].flatMap((line) => line.split(" "));
/** Parts of a JDK lie in a directory with the version in its name. */
const shownByVersion = /^java(-\d+-openjdk)?$/;

/**
 * Arguments of bwrap. A mount for each file would cost every command some 0.3 ms, 5 ms together: the files are copied into a directory of
 * this process, as they are when it starts; only directories are mounted as they are.
 */
export function etcMounts(): string[] {
  const copy = ownDirectory("etc");
  chmodSync(copy, 0o755);
  const args = ["--ro-bind", copy, "/etc"];
  for (const name of [...shown, ...readdirSync("/etc").filter((each) => shownByVersion.test(each))]) {
    const path = join("/etc", name);
    if (!existsSync(path)) continue;
    const place = join(copy, name);
    openDirectory(copy, dirname(name));
    const link = lstatSync(path).isSymbolicLink() ? readlinkSync(path) : "";
    if (/^(\/|\.\.\/)usr\//.test(link)) symlinkSync(link, place);
    else if (statSync(path).isDirectory()) {
      openDirectory(copy, name);
      args.push("--ro-bind", path, path);
    } else {
      copyFileSync(path, place);
      chmodSync(place, 0o644);
    }
  }
  return args;
}

/** For everybody to pass, whatever the umask is. */
function openDirectory(root: string, name: string) {
  if (name === ".") return;
  openDirectory(root, dirname(name));
  mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, name), 0o755);
}
