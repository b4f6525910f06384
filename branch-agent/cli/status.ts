/** `status`: does headquarters answer, who is this factory, and what does its journal hold. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { publicMessage, UacError } from "#core/errors.ts";
import { vpSeats } from "#core/vp.ts";
import type { Env, Profile } from "#factory/profile.ts";
import { profileOf } from "../compose.ts";
import { openJournal, openSandbox } from "../compose-bench.ts";
import { homeOf, readEnrolment } from "../state.ts";
import { version } from "../version.ts";
import { declaredIn, describeCommands } from "../workspace/commands.ts";

const askMs = 5000;

/** Resolves to 0, or 3 where headquarters does not answer. Rejects with `unauthenticated` where this machine has not joined. */
export async function status(env: Env, json: boolean): Promise<number> {
  const home = homeOf(env);
  const enrolment = await readEnrolment(home);
  if (!enrolment)
    throw new UacError("unauthenticated", `This machine has not joined (no enrolment in ${home}); npx tsx branch-agent enrol <code>`);
  const profile = profileOf(env, enrolment, { keyless: true });
  const hqUrl = profile.hqUrl ?? enrolment.hqUrl;
  const [rttMs, journal, commands] = await Promise.all([roundTrip(hqUrl), readJournal(home), boundsOf(profile)]);
  const report = {
    factory: enrolment.factory,
    name: profile.name,
    role: profile.role,
    version,
    models: modelsOf(profile),
    workspaces: await describeCommands(profile.workspaces, declaredIn(profile)),
    cautions: profile.cautions,
    hq: { url: hqUrl, reachable: rttMs !== null, rttMs },
    commands,
    ...journal,
  };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${asText(report)}\n`);
  return rttMs === null ? 3 : 0;
}

/** Of each VP that works here: its models, the first that answers first. */
function modelsOf({ inference, capabilities, personas }: Profile) {
  const working = vpSeats.filter((seat) => capabilities[seat]);
  return working.map((seat) => ({ vp: personas[seat], models: inference[seat].map(({ provider, model }) => `${provider}/${model}`) }));
}

/** How commands are bounded here, or why none runs; found out by trying, as the factory does at its start. */
async function boundsOf(profile: Profile): Promise<string[]> {
  if (!profile.capabilities.shell) return ["none is run"];
  return openSandbox(profile).then(
    (sandbox) => [sandbox.name, ...sandbox.bounds()],
    (error: unknown) => [publicMessage(error)],
  );
}

/** Milliseconds to HQ and back; null where it does not answer. */
async function roundTrip(url: string): Promise<number | null> {
  const at = performance.now();
  const answer = await fetch(new URL("/health", url), { signal: AbortSignal.timeout(askMs), redirect: "error" }).catch(() => null);
  return answer?.ok ? Math.round(performance.now() - at) : null;
}

async function readJournal(home: string) {
  if (!existsSync(join(home, "journal.db"))) return { tasks: [], unsent: 0 };
  const journal = await openJournal(home);
  try {
    const [open, unsent] = await Promise.all([journal.open(), journal.unsent(1000)]);
    const tasks = open.map(({ order, state, starts }) => ({ task: order.task, epoch: order.epoch, title: order.title, state, starts }));
    return { tasks, unsent: unsent.length };
  } finally {
    await journal.close();
  }
}

type Report = Awaited<ReturnType<typeof readJournal>> & {
  factory: string;
  name: string;
  role: string;
  version: string;
  models: ReturnType<typeof modelsOf>;
  workspaces: Awaited<ReturnType<typeof describeCommands>>;
  cautions: readonly string[];
  commands: readonly string[];
  hq: { url: string; rttMs: number | null };
};

function asText({ factory, name, role, version: v, models, workspaces, cautions, hq, commands, tasks, unsent }: Report): string {
  return [
    `${name} (${factory}), ${role}, version ${v}`,
    hq.rttMs === null ? `headquarters at ${hq.url} does not answer` : `headquarters at ${hq.url}: ${hq.rttMs} ms there and back`,
    ...models.map(({ vp, models: names }) => `${vp}: ${names.join(", else ")}`),
    ...Object.entries(workspaces).map(([workspace, { test, setup }]) => `${workspace}: tests ${test}; set-up ${setup}`),
    ...cautions.map((caution) => `Caution: ${caution}`),
    ...commands.map((bound) => `Commands: ${bound}`),
    tasks.length === 0 ? "no tasks" : tasks.map((task) => `${task.task} (attempt ${task.epoch}): ${task.state} – ${task.title}`).join("\n"),
    `reports waiting for the bus: ${unsent}`,
  ].join("\n");
}
