/** The sandbox's way out: real commands in real namespaces, a real proxy, and servers of this test's; only the names are made up. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { createServer as createHttp, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTls, type TLSSocket, connect as tlsConnect } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SandboxScope } from "#ports/sandbox.ts";
import { isPublic } from "../../branch-agent/sandbox/addresses.ts";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { openingOf } from "../../branch-agent/sandbox/client-hello.ts";

let dir: string;
let worktree: string;
let web: HttpServer;
let tls: Server;
let talker: Server;
const heard: string[] = [];
/** What came with requests to the web, whole. */
const bodies: string[] = [];
const asked: string[] = [];
const dialled: string[] = [];
/** What the name server says, in turn; the last is repeated. */
let answers: Record<string, string[][]> = {};
const publicAddress = "93.184.215.14";

const portOf = (server: Server | HttpServer) => (server.address() as AddressInfo).port;
const listening = (server: Server | HttpServer) => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));

const sandbox = bubblewrap({
  outside: {
    async resolve(name) {
      asked.push(name);
      const [now, ...later] = answers[name] ?? [];
      if (!now) throw new Error("ENOTFOUND");
      if (later.length > 0) answers[name] = later;
      return now;
    },
    /** Public addresses are this test's servers: 443 the one that speaks TLS, 22 the one that speaks first, 80 the web. */
    dial(address, port): Socket {
      dialled.push(`${address}:${port}`);
      const to = address === publicAddress ? { 443: tls, 8443: tls, 22: talker, 80: web }[port] : null;
      return connect({ host: "127.0.0.1", port: to ? portOf(to) : port });
    },
  },
});

beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "network-test-")));
  worktree = join(dir, "worktree");
  mkdirSync(worktree);
  const subject = ["-subj", "/CN=good.example", "-addext", "subjectAltName=DNS:good.example,DNS:a.wild.example"];
  const files = ["-keyout", join(dir, "key"), "-out", join(worktree, "ca.crt")];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", ...files, ...subject],
    { stdio: "ignore" },
  );
  const pem = (path: string) => execFileSync("cat", [path]);
  web = createHttp((request, response) => {
    heard.push(`${request.method} ${request.headers.host} ${request.url}`);
    if (request.url === "/other-protocol")
      return void request.socket.end("HTTP/1.1 101 Other\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw");
    let body = "";
    request.on("data", (chunk: Buffer) => (body += String(chunk)));
    request.on("end", () => {
      bodies.push(body);
      response.end(`web ${request.method} ${request.url}\n`);
    });
  });
  tls = createTls({ key: pem(join(dir, "key")), cert: pem(join(worktree, "ca.crt")) }, (socket: TLSSocket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      heard.push(`TLS ${socket.servername} ${String(data).split("\r\n")[0]}`);
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nsecret\n");
    });
  }) as Server;
  talker = createServer((socket) => {
    socket.on("error", () => {});
    socket.write("SSH-2.0-here\r\n");
    socket.once("data", (data) => {
      heard.push(`TALK ${data}`);
      socket.end("bye\n");
    });
  });
  await Promise.all([web, tls, talker].map(listening));
});

afterAll(() => {
  for (const server of [web, tls, talker]) server.close();
  web.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(() => {
  heard.length = 0;
  bodies.length = 0;
  asked.length = 0;
  dialled.length = 0;
  answers = { "good.example": [[publicAddress]], "a.wild.example": [[publicAddress]] };
});

const allowed = ["good.example:443", "good.example:8443", "good.example:80", "good.example:22", "*.wild.example:443"];

function run(command: string, network: readonly string[] = allowed, more: Partial<SandboxScope> = {}) {
  const scope = { worktree, readOnly: [], masked: [], network, ...more };
  return sandbox.run(scope, { command, cwd: worktree, timeoutMs: 20_000, env: {}, maxOutput: 100_000 });
}

/** A CONNECT by hand, then what is given (hex); everything that comes back. */
const raw = (authority: string, hex = "") =>
  `exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT ${authority} HTTP/1.1\\r\\nHost: ${authority}\\r\\n\\r\\n' >&3; ${hex ? `sleep 0.2; printf '${hex.replace(/../g, "\\x$&")}' >&3;` : ""} timeout 3 cat <&3; exec 3>&-;`;

describe("what is let through", () => {
  it("HTTPS and HTTP to the hosts that are named, by curl and by Node's own fetch", async () => {
    const script = `fetch("https://good.example/node").then(async r => console.log(r.status, (await r.text()).trim()), e => console.log(e.cause ?? e))`;
    const { output, refusals } = await run(
      `curl -sS --cacert ca.crt https://good.example/x https://a.wild.example/y; curl -sS http://good.example/a?b=c -d body; NODE_EXTRA_CA_CERTS=ca.crt node --no-warnings -e '${script}'`,
    );
    expect(output).toBe("secret\nsecret\nweb POST /a?b=c\n200 secret\n");
    expect(heard).toEqual([
      "TLS good.example GET /x HTTP/1.1",
      "TLS a.wild.example GET /y HTTP/1.1",
      "POST good.example /a?b=c",
      "TLS good.example GET /node HTTP/1.1",
    ]);
    expect(refusals).toEqual([]);
  });

  it.each(["GET", "DELETE", "OPTIONS", "POST"])(
    "a %s with a body in chunks as one request, though the body reads like another",
    async (method) => {
      const within = "GET /smuggled HTTP/1.1\\r\\nHost: other.example\\r\\n\\r\\n";
      const { output } = await run(
        `printf '${within}' | curl -sS -X ${method} -H 'Transfer-Encoding: chunked' -H 'Expect:' --data-binary @- http://good.example/whole`,
      );
      expect(output).toBe(`web ${method} /whole\n`);
      expect(heard).toEqual([`${method} good.example /whole`]);
      expect(bodies).toEqual(["GET /smuggled HTTP/1.1\r\nHost: other.example\r\n\r\n"]);
    },
  );

  it("other protocols at their ports, though the server speaks first", async () => {
    const { output } = await run(raw("good.example:22", Buffer.from("hello\n").toString("hex")));
    expect(output).toMatch(/200 Connection established\r\n\r\nSSH-2.0-here\r\nbye/);
    expect(heard).toEqual(["TALK hello\n"]);
  });

  it("an address that is named itself, though it is this machine's", async () => {
    const own = `127.0.0.1:${portOf(web)}`;
    expect((await run(`curl -sS --noproxy '' http://${own}/x`, [own])).output).toBe("web GET /x\n");
    expect(asked).toEqual([]);
  });

  it("what the task's list says at that moment, and not what it said before", async () => {
    const shrinking: SandboxScope = {
      ...{ worktree, readOnly: [], masked: [] },
      get network() {
        return dialled.length === 0 ? allowed : [];
      },
    };
    const command = "curl -sS http://good.example/1; curl -sS http://good.example/2";
    const once = await sandbox.run(shrinking, { command, cwd: worktree, timeoutMs: 20_000, env: {}, maxOutput: 10_000 });
    expect(heard).toEqual(["GET good.example /1"]);
    expect(once.refusals?.join()).toMatch(/not among the hosts/);
  });

  it("commands that follow each other by one network, commands of other tasks by others", async () => {
    const inode = async (network?: string[]) => (await run("readlink /proc/self/ns/net", network)).output;
    const [first, second, other, none] = [await inode(), await inode(), await inode(["x.example:443"]), await inode([])];
    expect(second).toBe(first);
    expect(new Set([first, other, none]).size).toBe(3);
  });

  it("whom the owner trusts besides, where that is among certificates; without a network not even that", async () => {
    const named = {
      SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt",
      NODE_EXTRA_CA_CERTS: "/etc/ssl/certs/../private/key.pem",
      PIP_CERT: "/root/ca.pem",
      CURL_CA_BUNDLE: "secret",
    };
    const before = Object.fromEntries(Object.keys(named).map((name) => [name, process.env[name]]));
    Object.assign(process.env, named);
    try {
      const look = `env | grep -E '^(${Object.keys(named).join("|")})=' || echo none`;
      expect((await run(look)).output).toBe(`SSL_CERT_FILE=${named.SSL_CERT_FILE}\n`);
      expect((await run(look, [])).output).toBe("none\n");
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  it("leaves a command its own loopback, and nothing of the proxy's beside the open port", async () => {
    const listens = `const s=require("net").createServer(c=>c.end("own"));s.listen(8080,"127.0.0.1",()=>require("net").connect(8080,"127.0.0.1").on("data",d=>{console.log(String(d));process.exit()}))`;
    const { output } = await run(
      `node -e '${listens}'; ls /proc/self/fd | wc -l; ls -d /proc/[0-9]* | wc -l; grep -c : /proc/net/dev; grep Cap /proc/self/status | grep -vc 0000000000000000`,
    );
    expect(output).toBe("own\n4\n5\n1\n0\n".replace("5", output.split("\n")[2] ?? ""));
    expect(Number(output.split("\n")[2])).toBeLessThan(8);
  });
});

describe("37: what is not", () => {
  it.each([
    ["a host that is not named", "evil.example:443", /evil.example:443 is not among the hosts/],
    ["another port of one that is", "good.example:25", /good.example:25 is not among/],
    ["the apex of a wildcard", "wild.example:443", /is not among/],
    ["a name that ends like one", "notwild.example:443", /is not among/],
    ["the metadata address", "169.254.169.254:80", /is not among/],
    ["loopback", "127.0.0.1:80", /is not among/],
    ["loopback, in other spellings", "0x7f.1:80", /127.0.0.1:80 is not among/],
    ["loopback, as a number", "2130706433:80", /127.0.0.1:80 is not among/],
    ["loopback, mapped", "[::ffff:127.0.0.1]:80", /is not among/],
    ["a public address by number", `${publicAddress}:443`, /is not among/],
    ["something that is no host", "good.example:443@evil.example:443", /a proxy takes CONNECT/],
  ])("%s", async (_, authority, why) => {
    const { output } = await run(raw(authority));
    expect(output).toMatch(/^HTTP\/1.1 40[03] /);
    expect(output).toMatch(why);
    expect(asked).toEqual([]);
    expect(dialled).toEqual([]);
  });

  it.each([
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "100.64.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "0.0.0.0",
    "::1",
    "::ffff:10.0.0.1",
    "fd00::1",
    "fe80::1%eth0",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
  ])("a name that leads to %s", async (address) => {
    answers["good.example"] = [[address]];
    const { output, refusals } = await run("curl -sS http://good.example/; curl -sSk https://good.example/");
    expect(refusals).toEqual([`good.example leads to ${address}, which is no public address`]);
    expect(output).toContain("403");
    expect(dialled).toEqual([]);
  });

  it("a name that is public when it is looked at and private when it is called: it is resolved once", async () => {
    answers["good.example"] = [[publicAddress], ["127.0.0.1"]];
    expect((await run("curl -sS http://good.example/first")).output).toBe("web GET /first\n");
    expect(asked).toEqual(["good.example"]);
    expect(dialled).toEqual([`${publicAddress}:80`]);
    const again = await run("curl -sS http://good.example/second");
    expect(again.refusals).toEqual(["good.example leads to 127.0.0.1, which is no public address"]);
    expect(heard).toHaveLength(1);
  });

  it("anything but by the proxy: no name server, no route, no other port", async () => {
    const { output } = await run(
      `getent hosts good.example && echo RESOLVED; for a in 1.1.1.1/53 169.254.169.254/80 127.0.0.1/${portOf(web)} ${publicAddress}/80; do timeout 3 bash -c "exec 3<>/dev/tcp/$a" 2>/dev/null && echo "REACHED $a"; echo x 2>/dev/null >/dev/udp/$a && echo "SENT $a"; done; node -e 'require("dns").resolve("leak.example",e=>console.log(e?"no dns":"DNS"))'`,
    );
    // A datagram to the own loopback is sent, and nobody hears it.
    expect(output.replace(/SENT 127.0.0.1\/\d+\n/, "")).toBe("no dns\n");
    expect(heard).toEqual([]);
  });

  it("a host behind the one that was asked for: TLS must name it, openly, and be spoken", async () => {
    const front = (options: string) => `curl -sSk ${options} 2>&1 | tail -1;`;
    const fronting = await run(front("--connect-to evil.example:443:good.example:443 https://evil.example/"));
    expect(fronting.refusals).toEqual(["a connection to good.example:443 was cut: its TLS asks for evil.example"]);
    const elsewhere = await run(front("--connect-to evil.example:443:good.example:8443 https://evil.example/"));
    expect(elsewhere.refusals).toEqual(["a connection to good.example:8443 was cut: its TLS asks for evil.example"]);
    const nameless = await run(`openssl s_client -proxy 127.0.0.1:3128 -connect good.example:443 -noservername </dev/null >/dev/null 2>&1`);
    expect(nameless.refusals).toEqual(["a connection to good.example:443 was cut: its TLS names no host"]);
    const plain = await run(raw("good.example:443", Buffer.from("GET / HTTP/1.1\r\nHost: evil\r\n\r\n").toString("hex")));
    expect(plain.refusals).toEqual(["a connection to good.example:443 was cut: it does not speak TLS"]);
    const broken = await run(raw("good.example:8443", "1603010005ffffffffff"));
    expect(broken.refusals?.join()).toContain("no TLS, though it begins so");
    expect(heard).toEqual([]);
  });

  it("garbage, half a request, a body that breaks off: the factory stands it, and goes on", async () => {
    const send = (text: string) => `exec 3<>/dev/tcp/127.0.0.1/3128; printf '${text}' >&3; timeout 0.2 cat <&3 >/dev/null; exec 3>&-;`;
    const post = "POST http://good.example/ HTTP/1.1\\r\\nHost: good.example\\r\\nContent-Length: 1000\\r\\n\\r\\nhalf";
    const { output } = await run(
      `${send("\\0\\1\\2garbage\\r\\n\\r\\n")} ${send("CONNECT good.exam")} ${send(post)} ${send("CONNECT good.example:22 HTTP/1.1\\r\\n\\r\\n")} ${send("GET / HTTP/1.1\\r\\nHost: good.example\\r\\n\\r\\n")} head -c 3000000 /dev/urandom > /dev/tcp/127.0.0.1/3128; curl -sS http://good.example/after`,
    );
    expect(output).toContain("web GET /after\n");
    const slowly = `exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT good.example:8443 HTTP/1.1\\r\\n\\r\\n' >&3; read -r line <&3; printf '\\x16\\x03\\x01\\x10\\x00' >&3; for i in $(seq 200); do printf '\\x01' >&3 || break; sleep 0.002; done; timeout 2 cat <&3`;
    expect((await run(slowly)).refusals?.join()).toMatch(/too many pieces|no TLS, though/);
  });

  it("a change of protocol in plain HTTP: it is cut at once, not waited for", async () => {
    const { output } = await run("curl -sS -m 10 http://good.example/other-protocol");
    expect(heard).toEqual(["GET good.example /other-protocol"]);
    expect(output).toBe("The sandbox's network: the connection broke off\n");
  });

  it("another host in plain HTTP than the address says", async () => {
    await run("curl -sS -H 'Host: evil.example' http://good.example/x");
    expect(heard).toEqual(["GET good.example /x"]);
  });

  it("more connections at once than 64", async () => {
    let open = 0;
    let most = 0;
    const count = (socket: Socket) => {
      most = Math.max(most, ++open);
      socket.once("close", () => open--);
    };
    talker.on("connection", count);
    const { output } = await run(
      `trap '' PIPE; for i in $(seq 90); do exec {fd}<>/dev/tcp/127.0.0.1/3128 && printf 'CONNECT good.example:22 HTTP/1.1\\r\\n\\r\\n' >&$fd; done 2>/dev/null; read -r -t 5 line <&$fd || echo cut; echo $line`,
    );
    talker.off("connection", count);
    expect(output).toContain("cut");
    expect(most).toBe(64);
    await expect.poll(() => open, { message: "the command has ended, and its connections with it" }).toBe(0);
  });
});

describe("as an ordinary user", () => {
  it.runIf(process.getuid?.() === 0)("the same", () => {
    const nobody = 65_534;
    execFileSync("chown", ["-R", String(nobody), worktree]);
    execFileSync("chmod", ["755", dir]);
    const script = `import { createServer } from "node:http"; import { bubblewrap } from "./branch-agent/sandbox/bubblewrap.ts";
      const web = createServer((_, r) => r.end("web")); await new Promise((r) => web.listen(0, "127.0.0.1", r));
      const own = "127.0.0.1:" + web.address().port;
      const run = (command) => bubblewrap().run({ worktree: "${worktree}", readOnly: [], masked: [], network: [own] }, { command, cwd: "${worktree}", timeoutMs: 20000, env: {}, maxOutput: 5000 });
      const result = await run("curl -sS --noproxy '' http://" + own + "/; echo; curl -sS http://evil.example/; id -u; exec 3<>/dev/tcp/" + own.replace(":", "/") + "; grep CapEff /proc/self/status");
      console.log(JSON.stringify(result)); process.exit();`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      uid: nobody,
      gid: nobody,
      encoding: "utf8",
      env: { PATH: process.env.PATH },
    });
    const { output, refusals } = JSON.parse(out);
    expect(output).toMatch(/^web\nThe sandbox's network: evil.example:80 is not among .*\n65534\n.*Connection refused/s);
    expect(output).toMatch(/CapEff:\s0+\n/);
    expect(refusals).toHaveLength(1);
  });
});

describe("addresses", () => {
  it.each(["1.1.1.1", publicAddress, "2606:4700::1111", "172.32.0.1", "192.169.0.1"])("%s is public", (address) =>
    expect(isPublic(address)).toBe(true),
  );
  it.each(["::", "::7f00:1", "ff02::1", "2001:db8::1", "2001::1", "255.255.255.255", "224.0.0.1", "fc00::1", "localhost", ""])(
    "%s is not",
    (address) => expect(isPublic(address)).toBe(false),
  );
});

describe("the first message of TLS", () => {
  it("is read in whatever pieces and records it comes, and never throws", async () => {
    const hello = await helloOf("Good.Example");
    const whole = { kind: "tls", name: "good.example", hidden: false };
    expect(openingOf(hello)).toEqual(whole);
    for (let cut = 0; cut < hello.length; cut++) expect(openingOf(hello.subarray(0, cut)).kind).toBe("more");
    const message = hello.subarray(5);
    const inRecords = (size: number) => {
      const pieces = Array.from({ length: Math.ceil(message.length / size) }, (_, i) => message.subarray(i * size, (i + 1) * size));
      return Buffer.concat(pieces.flatMap((piece) => [Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece]));
    };
    expect(openingOf(inRecords(Math.ceil(message.length / 8)))).toEqual(whole);
    expect(openingOf(inRecords(1)).kind, "nobody cuts it so small").toBe("broken");
    for (let at = 0; at < hello.length; at++) {
      const changed = Buffer.from(hello);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      expect(["tls", "other", "more", "broken"]).toContain(openingOf(changed).kind);
    }
  });
});

/** What Node's own TLS says first. */
async function helloOf(servername: string): Promise<Buffer> {
  const caught = Promise.withResolvers<Buffer>();
  const catcher = createServer((socket) => socket.once("data", caught.resolve).on("error", () => {}));
  await listening(catcher);
  const client = tlsConnect({ port: portOf(catcher), host: "127.0.0.1", servername }).on("error", () => {});
  const hello = await caught.promise;
  client.destroy();
  catcher.close();
  return hello;
}
