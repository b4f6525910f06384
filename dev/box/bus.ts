/** The box's bus: the embedded one behind a server of its own, or the one that the environment names. */
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { busFor } from "#adapters/bus/index.ts";
import { libsqlBus } from "#adapters/bus/libsql.ts";
import type { Bus } from "#ports/bus.ts";
import { startHrana } from "../hrana.ts";

type Env = Readonly<Record<string, string | undefined>>;

export interface BoxBus {
  /** For looking at. */
  bus: Bus;
  /** What headquarters is told of it. */
  hqEnv: Record<string, string>;
  /**
   * What a branch is told. The embedded bus may have another port at each start; any other is found, and logged in to, as
   * headquarters said at enrolment.
   */
  branchEnv: Record<string, string>;
  /** Where headquarters tells a branch that it is; null for the embedded one. */
  toldUrl: string | null;
  close(): Promise<void>;
}

export async function openBus(embedded: { dir: string; token: string; port: number }, env: Env): Promise<BoxBus> {
  const server = env.BUS_URL ? null : await startHrana({ ...embedded, file: join(embedded.dir, "bus.db") });
  const url = server?.url ?? env.BUS_URL ?? "";
  const token = server ? embedded.token : (env.BUS_TOKEN ?? null);
  const bus = server
    ? libsqlBus(createClient({ url, authToken: embedded.token }))
    : busFor({ url, token, libsql: createClient, files: true });
  const { BRANCH_BUS_URL, BRANCH_BUS_TOKEN } = env;
  const own = set({ BUS_URL: url, BUS_TOKEN: token });
  return {
    bus,
    // The embedded one has one token, which is theirs to have: it is all one machine.
    hqEnv: { ...own, ...set(server ? { BRANCH_BUS_TOKEN: token } : { BRANCH_BUS_URL, BRANCH_BUS_TOKEN }) },
    branchEnv: server ? own : {},
    toldUrl: server ? null : (BRANCH_BUS_URL ?? url),
    async close() {
      await bus.close();
      await server?.close();
    },
  };
}

function set(values: Record<string, string | null | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
