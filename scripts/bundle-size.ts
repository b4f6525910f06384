/**
 * `npm run size`: what `wrangler deploy --dry-run --minify` would upload, and what each package adds. `--json` puts one
 * object on stdout. Exits 1 where the Worker is too large, holds a file of the branch agent, or needs a built-in that
 * workerd lacks.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import * as z from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));

const limitKb = 700;
/** Built-ins that Cloudflare documents as not provided, or as stubs that throw, under nodejs_compat. */
const lacking = ["child_process", "cluster", "dgram", "inspector", "repl", "sqlite", "vm", "worker_threads", "wasi", "v8"];

/** The part of esbuild's metafile that is read. */
const metaSchema = z.object({
  outputs: z.record(
    z.string(),
    z.object({
      entryPoint: z.string().optional(),
      imports: z.array(z.object({ path: z.string(), external: z.boolean().optional() })),
      inputs: z.record(z.string(), z.object({ bytesInOutput: z.number() })),
    }),
  ),
});

const out = await mkdtemp(join(tmpdir(), "uac-bundle-"));
try {
  const metafile = join(out, "meta.json");
  const args = ["node_modules/wrangler/bin/wrangler.js", "deploy", "--dry-run", "--minify", "--outdir", out, `--metafile=${metafile}`];
  await promisify(execFile)(process.execPath, args, {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    timeout: 120_000,
  });
  const bundle = await readFile(join(out, "index.js"));
  const { outputs } = metaSchema.parse(JSON.parse(await readFile(metafile, "utf8")));
  const output = Object.values(outputs).find((candidate) => candidate.entryPoint);
  if (!output) throw new Error("the metafile names no entry point");

  const packages = new Map<string, number>();
  for (const [file, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = file.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? `${file.split("/")[0]}/ (ours)`;
    packages.set(name, (packages.get(name) ?? 0) + bytesInOutput);
  }
  const externals = [...new Set(output.imports.filter(({ external }) => external).map(({ path }) => path.replace(/^node:/, "")))];
  const report = {
    gzipKb: Math.round(gzipSync(bundle, { level: 9 }).length / 102.4) / 10,
    minifiedKb: Math.round(bundle.length / 102.4) / 10,
    limitKb,
    packages: [...packages].map(([name, bytes]) => ({ name, kb: Math.round(bytes / 102.4) / 10 })).sort((a, b) => b.kb - a.kb),
    builtins: externals.filter((name) => isBuiltin(name)),
    lacking: externals.filter((name) => lacking.includes(name)),
    branchFiles: Object.keys(output.inputs).filter((file) => file.startsWith("branch-agent/")),
  };
  const ok = report.gzipKb <= limitKb && report.lacking.length === 0 && report.branchFiles.length === 0;
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ ok, ...report })}\n`);
  else process.stdout.write(`${asTable(report)}\n`);
  process.exitCode = ok ? 0 : 1;
} finally {
  await rm(out, { recursive: true, force: true });
}

interface Report {
  gzipKb: number;
  minifiedKb: number;
  packages: { name: string; kb: number }[];
  builtins: string[];
  lacking: string[];
  branchFiles: string[];
}

function asTable({ gzipKb, minifiedKb, packages, builtins, lacking: missing, branchFiles }: Report): string {
  return [
    `the Worker: ${gzipKb} KB gzip of at most ${limitKb}, ${minifiedKb} KB minified`,
    ...packages.filter(({ kb }) => kb >= 1).map(({ name, kb }) => `  ${String(kb).padStart(7)} KB minified  ${name}`),
    `built-ins: ${builtins.join(", ")}`,
    `built-ins that workerd lacks: ${missing.join(", ") || "none"}; files of the branch agent: ${branchFiles.join(", ") || "none"}`,
  ].join("\n");
}
