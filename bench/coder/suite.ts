/**
 * `npm run bench -- coder`: Lisa at a script of 20 steps, the sandbox on, beside a bare loop of fetch and spawn, in turns. Both do the steps alone,
 * in a repository that declares no tests; and both run the tests before and after too, as the coder's harness does where there are some.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bubblewrap } from "../../branch-agent/sandbox/bubblewrap.ts";
import { type Figure, type Options, type Report, rounded, tableOf } from "../figure.ts";
import { median, quantile } from "../stats.ts";
import { type Run, runContender } from "./contender.ts";
import { type NoOps, timeNoOps } from "./no-op.ts";
import { acts, files, instruction, testCommand } from "./script.ts";

/** What is held to. */
const most = { whole: 1.7, noOpMs: 15, firstRequestBytes: 6000, memoryMb: 146 };
const usualRounds = 7;
const secondsPerRound = 5;
const noOpRounds = 150;

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const agent = here("../../branch-agent/index.js");

const contenders = ["bare", "ours", "bare, tested", "ours, tested"] as const;
type Contender = (typeof contenders)[number];
/** Which is held against which. */
const pairs = [
  ["ours", "bare"],
  ["ours, tested", "bare, tested"],
] as const satisfies [Contender, Contender][];

export async function benchCoder({ quick, seconds, say }: Options): Promise<Report> {
  const rounds = quick ? 1 : Math.max(2, Math.round(seconds === null ? usualRounds : seconds / secondsPerRound));
  const folder = mkdtempSync(join(tmpdir(), "uac-bench-"));
  const model = spawn(process.execPath, [here("model.ts")], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const url = String((await once(model.stdout, "data"))[0]).trim();
    const runs: Record<Contender, Run[]> = { bare: [], ours: [], "bare, tested": [], "ours, tested": [] };
    const hosts = join(folder, "hosts");
    writeFileSync(hosts, "");
    // The first of each is not counted: it fills caches of the disk and of compiled code, and makes the journal, as the second start on a
    // machine finds them.
    for (let round = quick ? 1 : 0; round <= rounds; round += 1) {
      for (const contender of contenders) {
        const run = await runOne(contender, { folder, url, hosts, watched: false });
        if (round > 0) runs[contender].push(run);
      }
      if (round > 0) say(`round ${round} of ${rounds}`);
    }
    // Apart, since being watched takes time.
    await runOne("ours, tested", { folder, url, hosts, watched: true });
    const outside = [...new Set(readFileSync(hosts, "utf8").split("\n"))].filter((host) => host && host !== "127.0.0.1");
    const repository = madeIn(folder);
    const scope = { worktree: repository, readOnly: [], masked: [], network: [] };
    const noOps = await timeNoOps(bubblewrap(), scope, quick ? 5 : noOpRounds);
    return reportOf(runs, noOps, outside);
  } finally {
    model.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function madeIn(folder: string): string {
  const repository = mkdtempSync(join(folder, "repository-"));
  for (const [path, content] of Object.entries(files)) writeFileSync(join(repository, path), content);
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", repository, "-c", "user.name=bench", "-c", "user.email=bench@uac.invalid", ...args], { stdio: "pipe" });
  git("init", "--quiet");
  git("add", ".");
  git("commit", "--quiet", "--message=Begin");
  return repository;
}

async function runOne(contender: Contender, bench: { folder: string; url: string; hosts: string; watched: boolean }): Promise<Run> {
  const repository = madeIn(bench.folder);
  const home = join(bench.folder, `home of ${contender}`);
  mkdirSync(join(home, "uac"), { recursive: true });
  const env = {
    ...{ PATH: process.env.PATH ?? "", HOME: home, UAC_HOME: join(home, "uac"), LOG_LEVEL: "warn" },
    ...{ LLM_PROVIDER: "scripted", SCRIPTED_BASE_URL: bench.url, SCRIPTED_API_KEY: "none", MODEL_NAME: "scripted-1" },
    BENCH_HOSTS: bench.hosts,
  };
  const preload = bench.watched ? ["--import", pathToFileURL(here("outside.ts")).href] : [];
  const tested = contender.endsWith("tested");
  const command = contender.startsWith("ours")
    ? [...preload, agent, "code", instruction, "--workspace", repository, "--json", ...(tested ? ["--test", testCommand] : [])]
    : [here("floor.ts"), bench.url, repository, ...(tested ? ["tests"] : [])];
  const run = await runContender([process.execPath, ...command], { url: bench.url, cwd: repository, env, steps: acts.length });
  if (run.exitCode !== 0 || run.requests.length !== acts.length + 1) {
    throw new Error(`${contender} ended with ${run.exitCode} after ${run.requests.length} requests:\n${run.output}`);
  }
  return run;
}

function reportOf(runs: Record<Contender, Run[]>, noOps: NoOps, outside: readonly string[]): Report {
  const figures: Figure[] = [];
  const broken: string[] = [];
  const add = (name: string, value: number, unit: string, of: string | null = null) => {
    figures.push({ name, value: rounded(value), unit, of });
    return rounded(value);
  };
  const middle = (contender: Contender, of: (run: Run) => number) => median(runs[contender].map(of));
  const idle = acts.findIndex(({ tool }) => tool !== "bash");
  const rows = contenders.map((name) => {
    const noOp = runs[name].flatMap(({ steps }) => steps.slice(1, idle));
    return [
      name,
      ...[
        add(
          `${name} start to first request`,
          middle(name, (run) => run.firstRequest),
          "ms",
        ),
        add(
          `${name} whole`,
          middle(name, (run) => run.whole),
          "ms",
        ),
        add(`${name} step p50`, quantile(noOp, 0.5), "ms"),
        add(`${name} step p95`, quantile(noOp, 0.95), "ms"),
        add(
          `${name} memory without the tests`,
          middle(name, (run) => run.memory),
          "MB",
        ),
        add(
          `${name} memory with children`,
          middle(name, (run) => run.memoryOfAll),
          "MB",
        ),
        add(
          `${name} first request`,
          middle(name, (run) => run.requests[0]?.bytes ?? 0),
          "bytes",
        ),
        add(
          `${name} uncached`,
          middle(name, (run) => run.requests.reduce((sum, request) => sum + request.fresh, 0)),
          "bytes",
        ),
      ].map(String),
    ];
  });
  // Ratios of the same round: the machine is as busy for the one as for the other.
  const ratios = pairs.map(([ours, bare]) => {
    const ofRounds = runs[ours].map((run, round) => run.whole / (runs[bare][round]?.whole ?? Number.NaN));
    return { bare, ratio: add(`${ours} whole ratio`, median(ofRounds), "ratio", `${bare} whole`) };
  });
  const [noOp, bare] = [quantile(noOps.sandboxed, 0.5), quantile(noOps.bare, 0.5)];
  const noOpMs = add("sandboxed no-op p50", noOp, "ms");
  add("sandboxed no-op p95", quantile(noOps.sandboxed, 0.95), "ms");
  add("bare no-op p50", bare, "ms");
  add("sandboxed no-op ratio", noOp / bare, "ratio", "bare no-op p50");
  const all = [...runs.ours, ...runs["ours, tested"]];
  const stable = all.every((run) => run.requests.every(({ goesOn }) => goesOn));
  add("requests that do not begin with the one before", all.flatMap((run) => run.requests).filter((one) => !one.goesOn).length, "requests");
  add("outside hosts contacted", outside.length, "hosts");

  const hold = (holds: boolean, what: string) => {
    if (!holds) broken.push(what);
  };
  const first = middle("ours, tested", (run) => run.requests[0]?.bytes ?? 0);
  const memory = middle("ours, tested", (run) => run.memory);
  // The whole is the work and its verification, of both. What the steps alone take beside the bare loop's is told, and no bound.
  const whole = ratios.find(({ bare }) => bare === "bare, tested")?.ratio ?? Number.NaN;
  hold(whole <= most.whole, `the whole is ${whole} times that of the bare loop that runs the tests too, at most ${most.whole}`);
  hold(noOpMs <= most.noOpMs, `a sandboxed no-op takes ${noOpMs} ms, at most ${most.noOpMs}`);
  hold(first < most.firstRequestBytes, `the first request has ${first} bytes, less than ${most.firstRequestBytes} wanted`);
  hold(memory < most.memoryMb, `it takes ${rounded(memory)} MB, less than ${most.memoryMb} wanted`);
  hold(stable, "a request did not begin with the one before it");
  hold(outside.length === 0, `it contacted ${outside.join(", ")}`);

  const head = ["", "first request ms", "whole ms", "step p50", "p95", "memory MB", "with children", "first bytes", "uncached bytes"];
  const notes = [
    `  ours: ${ratios.map(({ bare, ratio }) => `${ratio} × ${bare}`).join("; ")}.`,
    `  A command that does nothing: ${noOpMs} ms in the sandbox, ${rounded(bare)} ms by a bare spawn.`,
    `  Outside hosts contacted: ${outside.join(", ") || "none"}. Each request begins with the one before: ${stable ? "yes" : "no"}.`,
  ];
  return { figures, table: `${tableOf([head, ...rows])}\n\n${notes.join("\n")}`, broken: broken.length > 0 ? broken.join("; ") : null };
}
