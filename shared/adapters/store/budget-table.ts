/** The table of the owner's budgets. As the others: times are milliseconds on HQ's clock, money is nano-dollars. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { budgetUnits } from "#core/budget.ts";

/** What the owner lets the corporation spend, by the budget's id: set again it is changed. */
export const budgets = sqliteTable("budgets", {
  id: text().primaryKey(),
  scope: text({ enum: ["vp", "factory", "corporation"] }).notNull(),
  /** A seat, or a factory's id; empty for the corporation. */
  of: text().notNull(),
  period: text({ enum: ["day", "month", "window"] }).notNull(),
  windowMs: integer("window_ms"),
  unit: text({ enum: budgetUnits }).notNull(),
  amount: integer().notNull(),
  /** The whole of it since then, until its period is over. */
  raisedTo: integer("raised_to"),
  raisedAt: integer("raised_at"),
  /** The highest per cent that its owner was told of, and when. */
  alerted: integer().notNull(),
  alertedAt: integer("alerted_at").notNull(),
  createdAt: integer("created_at").notNull(),
  updatedAt: integer("updated_at").notNull(),
});
