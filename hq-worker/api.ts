/** What factories ask of HQ over HTTPS: join, claim, heartbeat, doorbell. */
import { Hono } from "hono";
import * as z from "zod";
import { type Body, type Kind, maxEntryBytes } from "#core/envelope.ts";
import { UacError } from "#core/errors.ts";
import { enrolRequestSchema } from "#core/hq-api.ts";
import { readmit } from "#factory/admit.ts";
import { grantClaim } from "#factory/claim.ts";
import { deliverLetters } from "#factory/deliver.ts";
import { dispatchAll } from "#factory/dispatch.ts";
import { drain } from "#factory/drain.ts";
import { enrolFactory } from "#factory/enrol.ts";
import type { Headquarters } from "#factory/headquarters.ts";
import { acceptHeartbeat } from "#factory/heartbeat.ts";
import type { Factory } from "#ports/factories.ts";
import { parseJson, readBody } from "./body.ts";
import type { HqContext } from "./context.ts";

const maxEnrolBytes = 16 * 1024;

export function factoryApi() {
  const api = new Hono<{ Bindings: HqContext }>();

  api.post("/enrol", async (c) => {
    const request = enrolRequestSchema.safeParse(parseJson(await readBody(c.req.raw, maxEnrolBytes)));
    if (!request.success) throw new UacError("bad_input", `Not a request to join: ${z.prettifyError(request.error)}`);
    const reply = await enrolFactory(c.env.hq, c.env.digest, request.data);
    c.env.later(deliverLetters(c.env.hq));
    return c.json(reply);
  });

  api.post("/claim", async (c) => {
    const { factory, body } = await openRequest(c.env.hq, c.req.raw, "claim");
    return c.json(await grantClaim(c.env.hq, factory, body));
  });

  api.post("/heartbeat", async (c) => {
    const { factory, body } = await openRequest(c.env.hq, c.req.raw, "heartbeat");
    const { hq, later } = c.env;
    const reply = await acceptHeartbeat(hq, factory, body);
    later(
      each(hq, {
        // Its user or its streams may be gone with the server's memory. Afterwards: a bus that is away must not cost it its leases.
        ...(body.bus !== "ok" && { "let a factory on the bus again": () => readmit(hq, factory) }),
        // A factory that is there may be what a waiting task waits for.
        "hand out tasks": () => handOut(c.env),
        // What stands still at a budget, or for an approval, is asked about: the owner hears of it at once.
        ...(body.running.some(({ overBudget, approval }) => overBudget !== null || approval !== undefined) && letterJobs(c.env)),
      }),
    );
    return c.json(reply);
  });

  api.post("/doorbell", async (c) => {
    await openRequest(c.env.hq, c.req.raw, "doorbell");
    c.env.later(settleAndTell(c.env));
    return c.body(null, 202);
  });

  return api;
}

/** Reads the bus, hands out what waits, and sends what is due; the desk sends what is due later. */
export async function settleAndTell(context: Pick<HqContext, "hq" | "desks">): Promise<void> {
  await each(context.hq, { "read the bus": () => drain(context.hq), ...tellJobs(context) });
}

type Jobs = Readonly<Record<string, () => Promise<unknown>>>;

/** A heartbeat comes twice a minute: what it changed is told at once, and nothing more is asked where that is nothing. */
async function handOut(context: Pick<HqContext, "hq" | "desks">): Promise<void> {
  if ((await dispatchAll(context.hq)) > 0) await each(context.hq, letterJobs(context));
}

/** What every event ends with. */
export function tellJobs(context: Pick<HqContext, "hq" | "desks">): Jobs {
  return { "hand out tasks": () => dispatchAll(context.hq), ...letterJobs(context) };
}

function letterJobs({ hq, desks }: Pick<HqContext, "hq" | "desks">): Jobs {
  return {
    "send letters": () => deliverLetters(hq),
    "set the alarm": async () => {
      const [owner] = hq.settings.owners;
      const due = await hq.store.letters.nextDue();
      if (owner !== undefined && due !== null) await desks.ring(owner, due);
    },
  };
}

/** One after the other; what fails is logged, and keeps none of the others from it. */
export async function each({ log }: Pick<Headquarters, "log">, jobs: Jobs): Promise<void> {
  for (const [what, job] of Object.entries(jobs)) {
    await job().catch((error: unknown) => log.error(`could not ${what}`, { error }));
  }
}

/**
 * The body of a sealed request, and the factory that sealed it. Each envelope is heard once. Throws `unauthenticated` for a
 * key that no factory has and `forbidden` for a retired factory's: it is to go; after any other refusal it may try again.
 */
async function openRequest<K extends Kind>(hq: Headquarters, request: Request, kind: K): Promise<{ factory: Factory; body: Body<K> }> {
  const sender: { factory: Factory | null } = { factory: null };
  const trusted = async (kid: string) => {
    const factory = await hq.store.factories.byKid(kid);
    if (!factory) throw new UacError("unauthenticated", "No factory has this key; join again: npx tsx branch-agent enrol <code>");
    sender.factory = factory;
    return { owner: factory.id, key: factory.key };
  };
  const envelope = await hq.verifier.open(await readBody(request, maxEntryBytes), "hq", trusted, hq.clock.now());
  const { factory } = sender;
  if (envelope.kind !== kind || !factory) throw new UacError("bad_envelope", `This address takes a ${kind}, not a ${envelope.kind}`);
  if (factory.status === "retired") throw new UacError("forbidden", `${factory.name} was retired; enrol it again to use it`);
  if (!(await hq.store.access.unseen(envelope.iss, envelope.id, envelope.exp * 1000, hq.clock.now()))) {
    throw new UacError("conflict", "This request was heard before");
  }
  return { factory, body: envelope.body as Body<K> };
}
