/** HQ's tables. Times are milliseconds since 1970 on HQ's clock, money is nano-dollars, `*_json` columns are validated on read. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { factoryStatuses } from "#core/fleet.ts";
import { billingModes, callOutcomes, usageSources } from "#core/ledger.ts";
import { answerWays } from "#core/question.ts";
import { roles } from "#core/role.ts";
import { taskStates } from "#core/task.ts";
import { vpSeats } from "#core/vp.ts";

export const factories = sqliteTable(
  "factories",
  {
    id: text().primaryKey(),
    name: text().notNull(),
    role: text({ enum: roles }).notNull(),
    status: text({ enum: factoryStatuses }).notNull(),
    kid: text().notNull(),
    keyJson: text("key_json").notNull(),
    /** Raised to revoke every Ops Token minted before. */
    gen: integer().notNull().default(0),
    /** SHA-256 of the password of its own user on the bus, from which that is made again; null where it has none. */
    busHash: text("bus_hash"),
    factsJson: text("facts_json"),
    rttMs: integer("rtt_ms"),
    enrolledAt: integer("enrolled_at").notNull(),
    lastHeartbeatAt: integer("last_heartbeat_at"),
    connectedSince: integer("connected_since"),
    /** Every report up to this `seq` is settled; those beyond it that are settled too stand in `heard_reports`. */
    heardTo: integer("heard_to").notNull().default(0),
    /** The last report that the factory said it had put on the bus, at the heartbeat before. */
    toldTo: integer("told_to").notNull().default(0),
    statusAt: integer("status_at").notNull(),
    statusReason: text("status_reason").notNull().default(""),
  },
  (t) => [uniqueIndex("factories_kid").on(t.kid)],
);

export const joinCodes = sqliteTable("join_codes", {
  hash: text().primaryKey(),
  factory: text().notNull(),
  name: text().notNull(),
  role: text({ enum: roles }).notNull(),
  createdAt: integer("created_at").notNull(),
  expiresAt: integer("expires_at").notNull(),
  usedAt: integer("used_at"),
  tries: integer().notNull().default(0),
});

export const tasks = sqliteTable(
  "tasks",
  {
    id: text().primaryKey(),
    chat: integer().notNull(),
    message: integer(),
    title: text().notNull(),
    instruction: text().notNull(),
    kind: text({ enum: vpSeats }),
    workspace: text(),
    wanted: text(),
    /** Higher goes first: -1, 0 or 1. */
    priority: integer().notNull().default(0),
    /** Not given out before: the owner's wish, or the wait before another attempt. */
    notBefore: integer("not_before"),
    /** The owner's time-to-live: what has not begun by then expires. Null: it waits for ever. */
    deadline: integer(),
    /** The dead or failed task that it was made again from. */
    replayOf: text("replay_of"),
    /** What is to become of another task's branch; null: it is a piece of work. */
    followJson: text("follow_json"),
    limitsJson: text("limits_json").notNull(),
    requireVerified: integer("require_verified", { mode: "boolean" }).notNull(),
    withEdits: integer("with_edits", { mode: "boolean" }).notNull().default(false),
    state: text({ enum: taskStates }).notNull(),
    epoch: integer().notNull(),
    lost: integer().notNull().default(0),
    failed: integer().notNull().default(0),
    factory: text(),
    persona: text(),
    orderId: text("order_id"),
    code: text().notNull().default(""),
    reason: text().notNull().default(""),
    summary: text().notNull().default(""),
    receiptJson: text("receipt_json"),
    leaseUntil: integer("lease_until"),
    step: integer().notNull().default(0),
    /** Spend as the last heartbeat told it; the ledger is the truth once the result is in. */
    liveCost: integer("live_cost").notNull().default(0),
    liveTokens: integer("live_tokens").notNull().default(0),
    cancelRequested: text("cancel_requested"),
    log: text().notNull().default(""),
    receivedAt: integer("received_at").notNull(),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    endedAt: integer("ended_at"),
  },
  (t) => [
    index("tasks_state").on(t.state, t.createdAt),
    index("tasks_factory").on(t.factory, t.state),
    index("tasks_created").on(t.createdAt),
    index("tasks_deadline").on(t.deadline),
    index("tasks_ended").on(t.endedAt),
    // A task is made again once; its replay may be made again in its turn.
    uniqueIndex("tasks_replay_of").on(t.replayOf),
    index("tasks_follow_of").on(sql`follow_json ->> '$.of'`),
  ],
);

export const attempts = sqliteTable(
  "attempts",
  {
    task: text().notNull(),
    epoch: integer().notNull(),
    factory: text().notNull(),
    persona: text(),
    routeReason: text("route_reason").notNull(),
    dispatchedAt: integer("dispatched_at").notNull(),
    claimedAt: integer("claimed_at"),
    endedAt: integer("ended_at"),
    outcome: text(),
    reason: text().notNull().default(""),
  },
  (t) => [primaryKey({ columns: [t.task, t.epoch] })],
);

/** Tasks that wait for others: `task` begins when every `needs` has succeeded. */
export const dependencies = sqliteTable(
  "dependencies",
  {
    task: text().notNull(),
    needs: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.task, t.needs] }), index("dependencies_needs").on(t.needs)],
);

/** What the owner is asked, until somebody or the expiry answered it and the answer was carried out. */
export const questions = sqliteTable(
  "questions",
  {
    id: text().primaryKey(),
    /** Asked once: the same key twice is one question. */
    key: text().notNull(),
    /** What it is about: says who carries the answer out. */
    kind: text().notNull(),
    task: text(),
    epoch: integer(),
    chat: integer().notNull(),
    contentJson: text("content_json").notNull(),
    optionsJson: text("options_json").notNull(),
    /** The option that counts when nobody answers in time; null: it stays open. */
    otherwise: text(),
    expiresAt: integer("expires_at"),
    createdAt: integer("created_at").notNull(),
    answer: text(),
    answeredAt: integer("answered_at"),
    answeredBy: text("answered_by"),
    via: text({ enum: answerWays }),
    appliedAt: integer("applied_at"),
  },
  (t) => [
    uniqueIndex("questions_key").on(t.key),
    index("questions_open").on(t.answeredAt, t.expiresAt),
    index("questions_unapplied").on(t.appliedAt, t.answeredAt),
    index("questions_task").on(t.task),
  ],
);

/** What HQ tells factories to do, until they say that they did. */
export const controls = sqliteTable(
  "controls",
  {
    id: text().primaryKey(),
    factory: text().notNull(),
    task: text(),
    epoch: integer(),
    controlJson: text("control_json").notNull(),
    createdAt: integer("created_at").notNull(),
    obeyedAt: integer("obeyed_at"),
  },
  (t) => [index("controls_open").on(t.factory, t.obeyedAt)],
);

/** Reports settled out of order, by `seq`; those up to `factories.heard_to` are not kept. */
export const heardReports = sqliteTable(
  "heard_reports",
  {
    factory: text().notNull(),
    seq: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.factory, t.seq] })],
);

export const taskEvents = sqliteTable(
  "task_events",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    task: text().notNull(),
    epoch: integer().notNull(),
    /** Sequence number of a factory's own entry: added once. Null for HQ's. */
    seq: integer(),
    at: integer().notNull(),
    originAt: integer("origin_at"),
    kind: text().notNull(),
    text: text().notNull(),
    factory: text(),
    persona: text(),
  },
  (t) => [index("task_events_task").on(t.task, t.id), uniqueIndex("task_events_origin").on(t.task, t.epoch, t.seq)],
);

export const outbox = sqliteTable(
  "outbox",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    factory: text().notNull(),
    task: text().notNull(),
    epoch: integer().notNull(),
    /** The sealed order: resent as it is, so a resend is the same order. */
    order: text("sealed").notNull(),
    createdAt: integer("created_at").notNull(),
    notBefore: integer("not_before").notNull(),
    sentAt: integer("sent_at"),
    attempts: integer().notNull().default(0),
    error: text().notNull().default(""),
  },
  (t) => [uniqueIndex("outbox_task").on(t.task, t.epoch), index("outbox_due").on(t.sentAt, t.notBefore)],
);

export const inboundUpdates = sqliteTable(
  "inbound_updates",
  {
    id: integer().primaryKey(),
    chat: integer().notNull(),
    inboundJson: text("inbound_json").notNull(),
    receivedAt: integer("received_at").notNull(),
    attempts: integer().notNull().default(0),
    startedAt: integer("started_at"),
    finishedAt: integer("finished_at"),
    outcome: text(),
  },
  (t) => [index("inbound_unfinished").on(t.finishedAt, t.chat, t.id)],
);

/** Transcripts of HQ's turns, one row an entry. */
export const turnEntries = sqliteTable(
  "turn_entries",
  {
    turn: text().notNull(),
    seq: integer().notNull(),
    entryJson: text("entry_json").notNull(),
  },
  (t) => [primaryKey({ columns: [t.turn, t.seq] })],
);

export const conversations = sqliteTable(
  "conversations",
  {
    turn: text().primaryKey(),
    chat: integer().notNull(),
    user: text().notNull(),
    reply: text().notNull(),
    at: integer().notNull(),
  },
  (t) => [index("conversations_chat").on(t.chat, t.at)],
);

/** Everything that is said in a chat, until the chat confirmed it. */
export const letters = sqliteTable(
  "letters",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    key: text().notNull(),
    chat: integer().notNull(),
    bodyJson: text("body_json").notNull(),
    /** Key of the letter that it replies to or edits. */
    refersTo: text("refers_to"),
    /** Counts the bodies that an edit had; `leased` is the one that is being sent. */
    version: integer().notNull().default(1),
    leased: integer(),
    createdAt: integer("created_at").notNull(),
    notBefore: integer("not_before").notNull(),
    leaseUntil: integer("lease_until"),
    attempts: integer().notNull().default(0),
    sentAt: integer("sent_at"),
    droppedAt: integer("dropped_at"),
    message: integer(),
    error: text().notNull().default(""),
  },
  (t) => [
    uniqueIndex("letters_key").on(t.key),
    index("letters_due").on(t.sentAt, t.droppedAt, t.notBefore),
    index("letters_message").on(t.chat, t.message),
  ],
);

/** The ledger: append-only. */
export const usages = sqliteTable(
  "usages",
  {
    id: text().primaryKey(),
    task: text(),
    epoch: integer().notNull(),
    step: integer().notNull(),
    try: integer().notNull().default(1),
    factory: text().notNull(),
    persona: text().notNull(),
    seat: text().notNull().default("primary"),
    engine: text().notNull().default("uac"),
    provider: text().notNull(),
    requestedModel: text("requested_model").notNull().default(""),
    model: text().notNull(),
    requestId: text("request_id"),
    messageId: text("message_id"),
    /** When the call began, on the clock of the one who made it. */
    at: integer().notNull(),
    recordedAt: integer("recorded_at").notNull(),
    durationMs: integer("duration_ms").notNull(),
    uncachedIn: integer("uncached_in").notNull(),
    cacheRead: integer("cache_read").notNull(),
    write5m: integer("write_5m").notNull(),
    write1h: integer("write_1h").notNull(),
    output: integer().notNull(),
    reasoning: integer().notNull(),
    source: text({ enum: usageSources }).notNull(),
    prices: text(),
    /** At list price. Null: unpriced. */
    cost: integer(),
    /** What `cost` is made of, as reckoned when it was recorded. Null: unpriced, or priced by a list that is not headquarters'. */
    costInput: integer("cost_input"),
    costCacheRead: integer("cost_cache_read"),
    costCacheWrite: integer("cost_cache_write"),
    costOutput: integer("cost_output"),
    billing: text({ enum: billingModes }).notNull().default("metered"),
    billed: integer(),
    outcome: text({ enum: callOutcomes }).notNull(),
  },
  (t) => [index("usages_task").on(t.task, t.epoch), index("usages_recorded").on(t.recordedAt)],
);

/** Held back for model calls under way, by the id of the entry that each becomes. */
export const reservations = sqliteTable("reservations", {
  id: text().primaryKey(),
  task: text(),
  epoch: integer().notNull(),
  factory: text().notNull(),
  seat: text().notNull(),
  at: integer().notNull(),
  /** Null: unpriced. */
  cost: integer(),
  tokens: integer().notNull(),
  life: text().notNull(),
  leaseUntil: integer("lease_until").notNull(),
  /** What it becomes if nobody settles it. */
  entryJson: text("entry_json").notNull(),
});

export const logins = sqliteTable("logins", {
  hash: text().primaryKey(),
  expiresAt: integer("expires_at").notNull(),
  usedAt: integer("used_at"),
});

export const sessions = sqliteTable("sessions", {
  hash: text().primaryKey(),
  createdAt: integer("created_at").notNull(),
  expiresAt: integer("expires_at").notNull(),
});

/** Envelope ids seen on HQ's HTTP endpoints, until they expire. */
export const seenEnvelopes = sqliteTable(
  "seen_envelopes",
  {
    issuer: text().notNull(),
    id: text().notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.issuer, t.id] }), index("seen_expiry").on(t.expiresAt)],
);

/** What should not have happened: forged entries, dead letters, refused senders. */
export const incidents = sqliteTable(
  "incidents",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: integer().notNull(),
    kind: text().notNull(),
    factory: text(),
    text: text().notNull(),
    /** What could not be read or settled, as it came; null where there is nothing to show. */
    data: text(),
    digest: text().notNull(),
    /** How often it came up again. */
    tries: integer().notNull().default(1),
  },
  (t) => [uniqueIndex("incidents_digest").on(t.kind, t.digest)],
);

/** Single facts and counters of HQ: `change_seq`, order sequences, the last cron tick. */
export const facts = sqliteTable("facts", { key: text().primaryKey(), value: text().notNull() });
