/** A git server on loopback that asks who is there: git's own `http-backend` behind Node's HTTP. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** Serves bare repositories below `root` as `http://127.0.0.1:<port>/<owner>/<name>.git`, to `user` with `password` alone. */
export async function startGitServer(root: string, { user, password }: { user: string; password: string }) {
  const backend = join(execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim(), "git-http-backend");
  const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const server = createServer((request, response) => {
    if (request.headers.authorization !== wanted) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? "/", "http://127.0.0.1");
    const child = spawn(backend, {
      env: {
        ...{ PATH: process.env.PATH, GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: "1", REMOTE_USER: user, PATH_INFO: pathname },
        ...{ QUERY_STRING: search.slice(1), REQUEST_METHOD: request.method, CONTENT_TYPE: request.headers["content-type"] },
        ...{ HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "", GIT_CONFIG_NOSYSTEM: "1" },
      },
    });
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("close", () => {
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf("\r\n\r\n");
      const fields = whole
        .subarray(0, end)
        .toString()
        .split("\r\n")
        .map((line) => line.split(": ", 2) as [string, string]);
      const status = Number(fields.find(([name]) => name.toLowerCase() === "status")?.[1]?.slice(0, 3) ?? 200);
      response.writeHead(status, Object.fromEntries(fields.filter(([name]) => name.toLowerCase() !== "status")));
      response.end(whole.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** A bare repository there. */
    make(name: string) {
      const path = join(root, name);
      mkdirSync(path, { recursive: true });
      execFileSync("git", ["init", "-q", "--bare", path]);
      execFileSync("git", ["-C", path, "config", "http.receivepack", "true"]);
      return path;
    },
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}
