/**
 * A network for the commands of one task: a proxy of the factory's, which listens where they alone can call it.
 *
 * On Linux that is a namespace with nothing in it but a loopback. A process that lives for some 50 ms makes the namespace, opens the port in
 * it and hands the open port over; the factory keeps the port and the namespace by their descriptors. So nothing of ours runs inside, and each
 * command joins by `nsenter`, in 1 ms.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Server } from "node:net";
import type { Readable } from "node:stream";
import type { SandboxScope } from "#ports/sandbox.ts";
import { type HostProxy, type Outside, openProxy } from "./proxy.ts";
import { unavailable } from "./unavailable.ts";

const proxyPort = 3128;
const openMs = 10_000;
/** A network that nobody uses is kept for the task's next command. */
const keptMs = 60_000;
const refusalsTold = 8;

export interface Network {
  port: number;
  /** Words before a program's, so that it starts in there. */
  join: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** What was not let through since it was last asked, in sentences. */
  refusals(): string[];
  leave(): void;
}

/** What a task's network is while it is open. */
interface Room {
  port: number;
  join: readonly string[];
  proxy: HostProxy;
  users: number;
  /** That of the command that came last: its hosts may shrink while it runs. */
  scope: SandboxScope;
  refused: Set<string>;
  idle: NodeJS.Timeout | undefined;
  close(): void;
}

/** Where a task's proxy is called. */
export interface Door {
  /** It listens on `port` of the loopback that commands have. */
  server: Server;
  port: number;
  join: readonly string[];
  release(): void;
}

export interface NetworkOptions {
  openDoor(): Promise<Door>;
  outside: Partial<Outside>;
}

/** Networks by task: a worktree and its hosts. */
export function networks({ openDoor, outside }: NetworkOptions) {
  const rooms = new Map<string, Promise<Room>>();

  async function open(scope: SandboxScope, closed: () => void): Promise<Room> {
    const { server, port, join, release } = await openDoor();
    const refused = new Set<string>();
    const proxy = openProxy({
      ...outside,
      allowed: () => room.scope.network,
      refused: (sentence) => void (refused.size < refusalsTold && refused.add(sentence)),
    });
    const room: Room = {
      ...{ port, join, proxy, users: 0, scope, refused, idle: undefined },
      close() {
        closed();
        proxy.close();
        release();
      },
    };
    await proxy.listen(server);
    return room;
  }

  /** Opens the network of `scope`, or finds it open. To be left when the command has ended. */
  return async function enter(scope: SandboxScope): Promise<Network> {
    const key = [scope.worktree, ...scope.network].join("\n");
    const forget = () => void rooms.delete(key);
    let opening = rooms.get(key);
    if (!opening) {
      opening = open(scope, forget);
      opening.catch(forget);
      rooms.set(key, opening);
    }
    const room = await opening;
    clearTimeout(room.idle);
    room.users += 1;
    room.scope = scope;
    return {
      port: room.port,
      join: room.join,
      environment: proxyEnvironment(room.port),
      refusals() {
        const told = [...room.refused];
        room.refused.clear();
        return told;
      },
      leave() {
        room.users -= 1;
        if (room.users > 0) return;
        // Whoever spoke has ended.
        room.proxy.hangUp();
        room.idle = setTimeout(room.close, keptMs).unref();
      },
    };
  };
}

/** Opens the port, hands it over, and ends when it was taken. */
const opener = `const server = process.getBuiltinModule("node:net").createServer();
server.listen(${proxyPort}, "127.0.0.1", () => process.send("open", server));
process.once("message", () => process.exit());`;

/** A namespace of its own. @param nsenter null where there is none */
export async function namespace(bwrap: string, nsenter: string | null): Promise<Door> {
  if (nsenter === null) throw unavailable("nsenter is not installed, and hosts are reached by it", "Install util-linux");
  return await new Promise((resolve, reject) => {
    const words = ["--unshare-user", "--unshare-net", "--ro-bind", "/", "/", "--die-with-parent", "--json-status-fd", "4", "--"];
    const child = spawn(bwrap, [...words, process.execPath, "-e", opener], {
      env: { NODE_CHANNEL_SERIALIZATION_MODE: "json" },
      cwd: "/",
      stdio: ["ignore", "ignore", "pipe", "ipc", "pipe"],
      timeout: openMs,
      killSignal: "SIGKILL",
    });
    let status = "";
    let complaint = "";
    (child.stdio[4] as Readable).on("data", (chunk) => (status += chunk));
    child.stderr?.on("data", (chunk) => (complaint = `${complaint}${chunk}`.slice(-500)));
    const fail = (why: string) => reject(unavailable(`no network could be made for the command: ${why}`, "Take the hosts away"));
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(complaint.trim() || `its maker ended with ${code}`));
    child.once("message", (_, handle) => {
      try {
        resolve({ server: handle as Server, port: proxyPort, ...held(nsenter, /"child-pid":\s*(\d+)/.exec(status)?.[1] ?? "") });
      } catch (error) {
        fail(String(error));
      }
      child.send("taken");
    });
  });
}

/** The namespaces of a process, kept beyond its end. */
function held(nsenter: string, pid: string): Pick<Door, "join" | "release"> {
  const network = openSync(`/proc/${pid}/ns/net`, "r");
  const user = openSync(`/proc/${pid}/ns/user`, "r");
  const at = (descriptor: number) => `/proc/${process.pid}/fd/${descriptor}`;
  // Root has its powers over the network as it is; anybody else has them only as the owner of its user namespace.
  const owner = process.getuid?.() === 0 ? [] : ["--preserve-credentials", `--user=${at(user)}`];
  return {
    join: [nsenter, ...owner, `--net=${at(network)}`, "--"],
    release() {
      closeSync(network);
      closeSync(user);
    },
  };
}

/** Served by the command itself. */
const own = "localhost,127.0.0.1,::1";

/** As the programs that know of proxies want to be told. */
function proxyEnvironment(port: number): Readonly<Record<string, string>> {
  const url = `http://127.0.0.1:${port}`;
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
  return {
    ...Object.fromEntries([...names, ...names.map((name) => name.toLowerCase())].map((name) => [name, url])),
    ...{ NO_PROXY: own, no_proxy: own },
    ...{ npm_config_proxy: url, npm_config_https_proxy: url, npm_config_noproxy: own, YARN_HTTP_PROXY: url, YARN_HTTPS_PROXY: url },
    ...{ PIP_PROXY: url, CARGO_HTTP_PROXY: url },
    // Node's own fetch heeds them only so; it says so on standard error where it is an experiment.
    NODE_USE_ENV_PROXY: "1",
  };
}
