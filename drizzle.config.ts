import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: ["./shared/adapters/store/schema.ts", "./shared/adapters/store/budget-table.ts"],
  out: "./migrations",
});
