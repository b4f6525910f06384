/**
 * What a client of "Hrana over HTTP" (JSON, versions 2 and 3) sends.
 * Source: https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md
 */
import * as z from "zod";

const valueSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("null") }),
  z.object({ type: z.literal("integer"), value: z.string().regex(/^-?\d{1,19}$/) }),
  z.object({ type: z.literal("float"), value: z.number() }),
  z.object({ type: z.literal("text"), value: z.string() }),
  z.object({ type: z.literal("blob"), base64: z.string() }),
]);
export type HranaValue = z.infer<typeof valueSchema>;

const sqlText = { sql: z.string().optional(), sql_id: z.int().optional() };

const stmtSchema = z.object({
  ...sqlText,
  args: z.array(valueSchema).default([]),
  named_args: z.array(z.object({ name: z.string().min(1), value: valueSchema })).default([]),
  want_rows: z.boolean().default(true),
});
export type Stmt = z.infer<typeof stmtSchema>;

export type BatchCond =
  | { type: "ok" | "error"; step: number }
  | { type: "not"; cond: BatchCond }
  | { type: "and" | "or"; conds: BatchCond[] }
  | { type: "is_autocommit" };

const condSchema: z.ZodType<BatchCond> = z.lazy(() =>
  z.discriminatedUnion("type", [
    z.object({ type: z.enum(["ok", "error"]), step: z.int().nonnegative() }),
    z.object({ type: z.literal("not"), cond: condSchema }),
    z.object({ type: z.enum(["and", "or"]), conds: z.array(condSchema) }),
    z.object({ type: z.literal("is_autocommit") }),
  ]),
);

const requestSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("close") }),
  z.object({ type: z.literal("execute"), stmt: stmtSchema }),
  z.object({
    type: z.literal("batch"),
    batch: z.object({ steps: z.array(z.object({ condition: condSchema.nullish(), stmt: stmtSchema })) }),
  }),
  z.object({ type: z.literal("sequence"), ...sqlText }),
  z.object({ type: z.literal("describe"), ...sqlText }),
  z.object({ type: z.literal("store_sql"), sql_id: z.int(), sql: z.string() }),
  z.object({ type: z.literal("close_sql"), sql_id: z.int() }),
  z.object({ type: z.literal("get_autocommit") }),
]);
export type StreamRequest = z.infer<typeof requestSchema>;

export const pipelineSchema = z.object({ baton: z.string().nullish(), requests: z.array(requestSchema) });
export type Pipeline = z.infer<typeof pipelineSchema>;

export interface HranaError {
  message: string;
  code: string;
}

export type StreamResult = { type: "ok"; response: Record<string, unknown> } | { type: "error"; error: HranaError };
