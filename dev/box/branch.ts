/** One enrolled branch in the box: `npx tsx branch-agent` in a process of its own, with the demo repository. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { randomIds } from "#adapters/ids/random.ts";
import { fingerprint, hashSecret } from "#adapters/signer/digest.ts";
import { joseVerifier } from "#adapters/signer/jose.ts";
import { UacError } from "#core/errors.ts";
import { readmit } from "#factory/admit.ts";
import type { Bus } from "#ports/bus.ts";
import type { Store } from "#ports/store.ts";
import { loadOrMakeKey } from "../../branch-agent/keys.ts";
import { readEnrolment } from "../../branch-agent/state.ts";
import type { ChatMessage, TelegramStandIn } from "../telegram/start.ts";
import { type Child, startChild } from "./child.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const approvalMs = 30_000;
const agent = ["--import", "tsx", join(root, "branch-agent", "index.js")];

export interface BranchOptions {
  dir: string;
  id: string;
  name: string;
  /** The branch's environment: its parameters, no secret of HQ's. */
  env: Readonly<Record<string, string>>;
  store: Store;
  bus: Bus;
  /** The bus as headquarters tells it at enrolment; null where `env` does. A branch that joined by another joins again. */
  busUrl?: string | null;
  /** The chat in which the owner approves; null where Telegram is the real one, and nobody can tap for the owner. */
  telegram?: TelegramStandIn | null;
  /** Headquarters' clock, where it is not this machine's. */
  now?: () => number;
}

/** Joins if it has not, then starts. Resolves when the process runs; HQ hears of it a moment later. */
export async function startBranch(options: BranchOptions): Promise<Child> {
  const { dir, id, name, env, store } = options;
  const home = join(dir, id);
  await mkdir(home, { recursive: true, mode: 0o700 });
  const full = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    ...env,
    UAC_HOME: home,
    FACTORY_ROLE: "branch",
    FACTORY_ID: id,
    FACTORY_NAME: name,
  };
  const known = await store.factories.get(id);
  const joined = await readEnrolment(home);
  const moved = joined && options.busUrl && hostOf(joined.busUrl) !== hostOf(options.busUrl);
  if (!joined || moved || !known || known.status === "retired") await joinHq(full, { ...options, home });
  return startChild({ name: id, args: [...agent, "start"], env: full, logFile: join(dir, "logs", `${id}.log`) });
}

/** What the owner and the desktop do by hand: a code, `enrol`, the fingerprints compared, the approval. */
export async function joinHq(env: Record<string, string | undefined>, of: Omit<BranchOptions, "dir" | "env"> & { home: string }) {
  const { id, name, store, bus, home, telegram } = of;
  const code = randomIds.secret(16);
  const now = (of.now ?? Date.now)();
  await store.factories.addCode({ hash: await hashSecret(code), factory: id, name, role: "branch", expiresAt: now + 600_000 }, now);
  await promisify(execFile)(process.execPath, [...agent, "enrol", code], { cwd: root, env, timeout: 60_000 }).catch(
    ({ stderr, signal }: { stderr?: string; signal?: string | null }) => {
      // The error's own message is the whole command line, with the code in it.
      throw new UacError(
        "bad_config",
        `The branch could not join: ${stderr?.trim() || `it was ended by ${signal ?? "nobody knows what"}`}`,
      );
    },
  );

  const joined = await store.factories.get(id);
  const { publicKey } = await loadOrMakeKey(home);
  const mine = fingerprint(await joseVerifier().thumbprint(publicKey));
  if (!joined || fingerprint(joined.kid) !== mine) throw new UacError("forbidden", `${id} shows another fingerprint than headquarters has`);
  if (telegram) return approveInChat(telegram, of, mine);
  await store.factories.setStatus(id, "active", now, joined.kid);
  await readmit({ bus }, { ...joined, status: "active" });
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

/** Taps as the owner would: on the request that shows this machine's fingerprint. */
async function approveInChat(telegram: TelegramStandIn, { id, store }: Pick<BranchOptions, "id" | "store">, mine: string) {
  const approve = `join:y:${id}:`;
  const buttonOf = ({ buttons }: ChatMessage) => buttons.flat().find(({ data }) => data?.startsWith(approve))?.data;
  const request = await telegram.waitFor((message) => buttonOf(message) !== undefined && message.text.includes(mine), approvalMs);
  telegram.tap(request.id, buttonOf(request) ?? "");
  const until = Date.now() + approvalMs;
  while ((await store.factories.get(id))?.status !== "active") {
    if (Date.now() > until) throw new UacError("internal", `Headquarters did not take the approval of ${id} within ${approvalMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
