import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: ["schema", "usage-daily", "budget-table"].map((name) => `./shared/adapters/store/${name}.ts`),
  out: "./migrations",
});
