/**
 * Every message between HQ and a factory: JWS compact, and this is its payload. Strict schemas: an unknown key is
 * refused, so a field that nobody reads can't smuggle anything.
 *
 * Wire history
 *   1  first version
 *   2  `control` for `cancel` alone, with progress that tells of it; heartbeats tell of orders in hand, reports sent and controls obeyed; reports live 30 days
 *   3  entries of the ledger say who called, which try it was, how it is billed and by which price list; receipts say what was spent;
 *      a factory tells the model of each VP; budgets: what binds a factory, what stands still at one, and `raise` and `finish`
 *   4  a coder's receipt says more of its evidence, and an order more of how it is to be worked; follow-ups of a finished branch
 */
import * as z from "zod";
import { budgetSchema } from "./budget.ts";
import { capabilityNames } from "./capability.ts";
import { controlSchema } from "./control.ts";
import { factoryIdPattern } from "./fleet.ts";
import { followSchema } from "./follow-up.ts";
import { ledgerEntrySchema } from "./ledger.ts";
import { limitsSchema, longestInstruction } from "./limits.ts";
import { receiptSchema } from "./receipt.ts";
import { roles } from "./role.ts";
import { setupAskedSchema } from "./setup.ts";
import { byVp, vpSeats } from "./vp.ts";

export const wireVersion = 4;
export const envelopeType = "uac-env+jws";
/** Largest entry on the bus, bytes of the compact JWS. */
export const maxEntryBytes = 256 * 1024;
/**
 * Orders outlive a night's sleep, reports a month in which nobody switched the desktop on; requests to HQ do not outlive a
 * minute. Seconds.
 */
export const orderLifeS = 24 * 3600;
const reportLifeS = 30 * 24 * 3600;
const requestLifeS = 60;
/** Clock skew that is tolerated, seconds. */
export const skewS = 60;

const id = z.string().regex(/^[A-Za-z0-9_-]{4,64}$/);
const factoryId = z.string().regex(factoryIdPattern);
const task = z.strictObject({ task: id, epoch: z.int().positive() });
/** Most attempts that a heartbeat names as held. */
export const acceptedPerBeat = 128;
const text = (max: number) => z.string().max(max);

export const orderSchema = z.strictObject({
  ...task.shape,
  kind: z.enum(vpSeats).nullable(),
  title: text(200),
  instruction: text(longestInstruction),
  workspace: text(64).nullable(),
  limits: limitsSchema,
  /** Anything less than `verified` is then a failure. */
  requireVerified: z.boolean(),
  /** What is to become of a finished branch: then no model is asked. Null: the order is a piece of work. */
  follow: followSchema.nullable(),
  /** It starts with what the owner has changed and not committed. Absent: from the last commit alone. */
  withEdits: z.literal(true).optional(),
});
export type Order = z.infer<typeof orderSchema>;

/** How an attempt ended. `released`: given back unharmed by a draining factory. */
export const outcomes = ["succeeded", "failed", "cancelled", "released"] as const;

export const resultSchema = z.strictObject({
  ...task.shape,
  outcome: z.enum(outcomes),
  /** Closed word for machines: `finished`, `step_limit`, `model_unreachable`, … */
  code: text(64),
  /** The same for a person. */
  reason: text(2000),
  persona: text(64),
  summary: text(8000),
  receipt: receiptSchema.nullable(),
  /** Ledger entries that HQ has not been told yet. */
  usages: z.array(ledgerEntrySchema).max(400),
  log: text(16_000),
});
export type Result = z.infer<typeof resultSchema>;

/** One line of a task's story as the factory saw it. `at` is the factory's clock. */
export const progressSchema = z.strictObject({
  ...task.shape,
  seq: z.int().nonnegative(),
  at: z.int(),
  kind: z.enum(["received", "routed", "started", "step", "committed", "finished", "paused", "resumed", "steered"]),
  persona: text(64),
  text: text(500),
});
export type Progress = z.infer<typeof progressSchema>;

export const usageReportSchema = z.strictObject({ usages: z.array(ledgerEntrySchema).min(1).max(400) });

/** An order that the factory would not take: unreadable, forged, too old. `entry` is its id on the bus. */
export const rejectSchema = z.strictObject({ entry: text(64), reason: text(500) });

export const claimSchema = z.strictObject({ ...task.shape, order: id });

export const factoryFactsSchema = z.strictObject({
  name: text(64),
  role: z.enum(roles),
  personas: z.strictObject({ primary: text(64), ...byVp(() => text(64)) }),
  capabilities: z.strictObject(
    // What an older factory does not know, it may not do.
    Object.fromEntries(capabilityNames.map((name) => [name, z.boolean().default(false)])) as Record<
      (typeof capabilityNames)[number],
      z.ZodDefault<z.ZodBoolean>
    >,
  ),
  provider: text(64),
  model: text(128),
  /** `provider/model` of each VP that works there. An older factory tells none. */
  models: z.strictObject(byVp(() => text(200).optional())).optional(),
  workspaces: z.array(text(64)).max(64),
  slots: z.int().min(1).max(64),
  version: text(64),
  startedAt: z.int(),
});
export type FactoryFacts = z.infer<typeof factoryFactsSchema>;

/** How the factory gets on with the bus. `denied`: it is there, and refuses this factory's credential or rights. */
const busStates = ["ok", "denied", "down"] as const;
export type BusState = (typeof busStates)[number];

/** Most controls that one heartbeat, and one answer to it, carries; also most reports that HQ asks for again at once. */
export const controlsPerBeat = 64;

/** Why a run stands still: a budget that holds no further call. All in the budget's unit. */
export const overBudgetSchema = z.strictObject({
  budget: budgetSchema,
  spent: z.int().nonnegative(),
  /** What the next call may take. */
  need: z.int().nonnegative(),
  /** Counts how often this attempt came to stand at one: from 1. */
  time: z.int().positive(),
});
export type OverBudgetAt = z.infer<typeof overBudgetSchema>;

export const heartbeatSchema = z.strictObject({
  facts: factoryFactsSchema,
  /** Round trip of the last heartbeat as the factory measured it; null for the first. */
  rttMs: z.int().nonnegative().nullable(),
  draining: z.boolean(),
  running: z
    .array(
      z.strictObject({
        ...task.shape,
        step: z.int().nonnegative(),
        /** Spent by it so far: nano-dollars at list price, and tokens. */
        cost: z.int().nonnegative(),
        tokens: z.int().nonnegative(),
        paused: z.boolean(),
        overBudget: overBudgetSchema.nullable(),
        /** The set-up that it waits for the owner to approve. */
        approval: setupAskedSchema.optional(),
      }),
    )
    .max(64),
  /** What it holds: orders that are not over, and results that are not on the bus yet. */
  accepted: z.array(task).max(acceptedPerBeat),
  /** Its reports by `seq`: the first that it still keeps for HQ, and the last that it put on the bus. Null where there was none. */
  reports: z.strictObject({ first: z.int().nonnegative(), last: z.int().nonnegative() }).nullable(),
  /** Controls that it has carried out, by id. */
  obeyed: z.array(id).max(controlsPerBeat),
  bus: z.enum(busStates),
});

export const doorbellSchema = z.strictObject({ reason: z.enum(["result", "progress"]) });

/** Kind → who may send it, how many seconds it may live, and its body. What travels by bus outlives a night's sleep. */
export const kinds = {
  order: { from: "hq", lifeS: orderLifeS, body: orderSchema },
  control: { from: "hq", lifeS: orderLifeS, body: controlSchema },
  result: { from: "factory", lifeS: reportLifeS, body: resultSchema },
  progress: { from: "factory", lifeS: reportLifeS, body: progressSchema },
  usage: { from: "factory", lifeS: reportLifeS, body: usageReportSchema },
  reject: { from: "factory", lifeS: reportLifeS, body: rejectSchema },
  claim: { from: "factory", lifeS: requestLifeS, body: claimSchema },
  heartbeat: { from: "factory", lifeS: requestLifeS, body: heartbeatSchema },
  doorbell: { from: "factory", lifeS: requestLifeS, body: doorbellSchema },
} as const;
export type Kind = keyof typeof kinds;
export type Body<K extends Kind> = z.infer<(typeof kinds)[K]["body"]>;

const headSchema = z.strictObject({
  v: z.literal(wireVersion),
  id,
  iss: z.union([z.literal("hq"), factoryId]),
  aud: z.union([z.literal("hq"), factoryId]),
  kind: z.enum(Object.keys(kinds) as [Kind, ...Kind[]]),
  /** Seconds since 1970. */
  iat: z.int(),
  exp: z.int(),
  /** Rises by one per issuer and audience; 0 where order does not matter. */
  seq: z.int().nonnegative(),
  /** The task or request this belongs to. */
  corr: id.nullable(),
  body: z.unknown(),
});

export type Envelope<K extends Kind = Kind> = {
  [P in K]: Omit<z.infer<typeof headSchema>, "kind" | "body"> & { kind: P; body: Body<P> };
}[K];

export type Parsed = { ok: true; envelope: Envelope } | { ok: false; reason: string };

/**
 * A verified payload to an envelope, or why not. `self` is who reads it, `signer` whose key verified, `nowS` the
 * reader's clock in seconds.
 */
export function parseEnvelope(payload: unknown, self: string, signer: string, nowS: number): Parsed {
  const head = headSchema.safeParse(payload);
  if (!head.success) return { ok: false, reason: `is not an envelope: ${z.prettifyError(head.error)}` };
  const { kind, body, ...rest } = head.data;
  if (rest.iss !== signer) return { ok: false, reason: `says it is from ${rest.iss}, signed by ${signer}` };
  if (rest.aud !== self) return { ok: false, reason: `is for ${rest.aud}, not for ${self}` };
  if ((kinds[kind].from === "hq") !== (rest.iss === "hq")) {
    return { ok: false, reason: `is of a kind that ${rest.iss} may not send: ${kind}` };
  }
  if (rest.exp <= nowS - skewS) return { ok: false, reason: "has expired" };
  if (rest.iat > nowS + skewS) return { ok: false, reason: "is from the future" };
  // Replays are remembered until they expire, so nobody may choose how long that is.
  if (rest.exp - rest.iat > kinds[kind].lifeS) return { ok: false, reason: `lives longer than a ${kind} may` };
  const checked = kinds[kind].body.safeParse(body);
  if (!checked.success) return { ok: false, reason: `is not a ${kind}: ${z.prettifyError(checked.error)}` };
  return { ok: true, envelope: { ...rest, kind, body: checked.data } as Envelope };
}
