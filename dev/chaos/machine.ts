/** A machine of the town: a repository, a branch that joined as a person would have it join, and links that can be cut. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Bus } from "#ports/bus.ts";
import type { Store } from "#ports/store.ts";
import { readEnrolment } from "../../branch-agent/state.ts";
import { joinHq } from "../box/branch.ts";
import type { RedisServer } from "../redis.ts";
import { startTcpProxy, type TcpProxy } from "../tcp-proxy.ts";
import { type Member, member } from "./member.ts";
import { startProgram } from "./program.ts";
import { workspace } from "./script.ts";
import { type Pace, pacedClock } from "./time.ts";

export interface TownBranch {
  id: string;
  member: Member;
  home: string;
  /** The owner's repository on that machine. */
  repo: string;
  /** Its links to Redis and to headquarters. */
  links: { redis: TcpProxy; hq: TcpProxy };
}

interface Place {
  dir: string;
  id: string;
  redis: RedisServer;
  hqPort: number;
  slots: number;
  store: Store;
  bus: Bus;
  pace: Pace;
}

/** Joins; its branch is not started yet. `common` is the environment that every process of the town has in one of its lives. */
export async function openMachine(
  { dir, id, redis, hqPort, slots, store, bus, pace }: Place,
  common: (life: string) => Record<string, string>,
) {
  const home = join(dir, id);
  const repo = join(dir, `${id}-${workspace}`);
  const [toRedis, toHq] = await Promise.all([startTcpProxy({ to: redis.port }), startTcpProxy({ to: hqPort })]);
  await Promise.all([mkdir(home, { recursive: true, mode: 0o700 }), makeRepository(repo)]);
  const own = {
    PATH: process.env.PATH ?? "",
    HOME: process.env.HOME ?? "",
    UAC_HOME: home,
    FACTORY_ROLE: "branch",
    FACTORY_ID: id,
    FACTORY_NAME: id,
    HQ_URL: `http://127.0.0.1:${toHq.port}`,
    WORKSPACES: `${workspace}=${repo}`,
    MAX_CONCURRENT_TASKS: String(slots),
  };
  await joinHq({ ...own, ...common(id) }, { id, name: id, store, bus, home, now: pacedClock(pace).now });
  const { busUrl = "", busToken = "" } = (await readEnrolment(home)) ?? {};
  const told = { BUS_URL: busUrl.startsWith("redis:") ? withPort(busUrl, toRedis.port) : busUrl, BUS_TOKEN: busToken };
  const launch = (life: string) => startProgram(id, dir, "branch.ts", { ...own, ...common(life), ...told });
  const branch: TownBranch = { id, home, repo, links: { redis: toRedis, hq: toHq }, member: member(id, launch) };
  return {
    branch,
    async close() {
      await branch.member.sweep();
      await Promise.all([toRedis.close(), toHq.close()]);
    },
  };
}

function withPort(url: string, port: number): string {
  const address = new URL(url);
  address.port = String(port);
  return address.href;
}

async function makeRepository(path: string) {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "README.md"), "# A yard where slips are written\n");
  const env = { PATH: process.env.PATH, HOME: path, GIT_CONFIG_NOSYSTEM: "1" };
  const git = (...args: string[]) => promisify(execFile)("git", args, { cwd: path, env });
  await git("init", "--quiet", "--initial-branch=main");
  await git("add", ".");
  await git("-c", "user.name=Owner", "-c", "user.email=owner@yard.invalid", "commit", "--quiet", "-m", "A yard");
}
