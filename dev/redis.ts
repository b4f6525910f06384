/** A real redis-server on a free port, in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";

export interface RedisServer {
  url: string;
  port: number;
  /** Current process id; another one after `start`. */
  readonly pid: number;
  /** SIGKILL, as a crash; the data stays. */
  kill(): Promise<void>;
  /** Again, on the same port and data. */
  start(): Promise<void>;
  /** Kills it and deletes its data. Repeatable. */
  stop(): Promise<void>;
}

const startLimitMs = 10_000;

/** Errors: redis-server is not installed, or did not answer within ten seconds. `args` are passed on to it. */
export async function startRedis(options: { args?: string[] } = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "uac-redis-"));
  const port = await freePort();
  let child: ChildProcess;

  async function start() {
    const durable = ["--appendonly", "yes", "--save", ""];
    const where = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder];
    child = spawn("redis-server", [...where, ...durable, ...(options.args ?? [])], { stdio: "ignore" });
    const failed = once(child, "error").then(([error]) => {
      throw new Error("redis-server does not start. Install it (apt-get install redis-server, brew install redis).", { cause: error });
    });
    await Promise.race([failed, answers(port, child)]).catch((error: unknown) => {
      child.kill("SIGKILL");
      throw error;
    });
  }

  async function kill() {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  // A test run that dies leaves no server behind.
  const onExit = () => child.kill("SIGKILL");
  process.once("exit", onExit);

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid ?? 0;
    },
    kill,
    start,
    async stop() {
      process.removeListener("exit", onExit);
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One raw command of an administrator, on a connection of its own. Rejects where no server comes up within ten seconds. */
export async function redisCommand(url: string, ...args: string[]): Promise<unknown> {
  const reconnectStrategy = (retries: number) => (retries < startLimitMs / 100 ? 100 : false);
  const client = createClient({ url, RESP: 2, disableClientInfo: true, socket: { reconnectStrategy } });
  client.on("error", () => {});
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    client.destroy();
  }
}

/** Until somebody waits in a blocking read. */
export async function untilBlocked(url: string): Promise<void> {
  const until = Date.now() + startLimitMs;
  // Flag b: blocked. The last command alone stays shown when the wait is over.
  while (!/flags=\w*b\w* .*cmd=xreadgroup/.test(String(await redisCommand(url, "CLIENT", "LIST")))) {
    if (Date.now() > until) throw new Error(`nobody waits in a read within ${startLimitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Until PING is answered: a server that loads its data accepts connections before. */
async function answers(port: number, child: ChildProcess): Promise<void> {
  const until = Date.now() + startLimitMs;
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}; is port ${port} taken?`);
    if (await pong(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`redis-server did not answer within ${startLimitMs} ms`);
}

function pong(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    // One that wants a password first is up too.
    socket.once("data", (data) => end(/^(\+PONG|-NOAUTH)/.test(data.toString())));
    socket.once("error", () => end(false));
    socket.setTimeout(1000, () => end(false));
  });
}
