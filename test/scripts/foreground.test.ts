import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "uac-foreground-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts a program that leaves a child behind, tells every signal, and ends with 7 once it had one. */
async function launch(name: string, through?: "npm's shell") {
  const told = join(folder, name);
  const program = `${told}.mjs`;
  writeFileSync(
    program,
    `import { spawn } from "node:child_process";
     import { appendFileSync } from "node:fs";
     const tell = (line) => appendFileSync(${JSON.stringify(told)}, line + "\\n");
     for (const signal of ["SIGINT", "SIGTERM"]) {
       process.on(signal, () => { tell(signal); setTimeout(() => process.exit(7), 300); });
     }
     tell("child " + spawn("sleep", ["60"]).pid);
     setInterval(() => {}, 1000);`,
  );
  const command = [process.execPath, "scripts/with-node24.mjs", "--for=code", program];
  const launcher = through
    ? spawn("/bin/sh", ["-c", `${command.join(" ")}; true`], { stdio: "ignore", env: { ...process.env, npm_lifecycle_event: "start" } })
    : spawn(process.execPath, command.slice(1), { stdio: "ignore" });
  const exit = new Promise<number | null>((done) => launcher.on("exit", (code) => done(code)));
  const lines = () => {
    try {
      return readFileSync(told, "utf8").trim().split("\n");
    } catch {
      return [];
    }
  };
  await expect.poll(lines, { timeout: 9000 }).toHaveLength(1);
  const child = Number(lines()[0]?.replace("child ", ""));
  return { launcher, exit, lines, child };
}

/** A zombie is dead: in a container nobody may be there to bury it. */
function lives(pid: number) {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

it("passes a signal on once, though it comes twice, hands back the exit code and leaves no child", async () => {
  const { launcher, exit, lines, child } = await launch("interrupted");
  launcher.kill("SIGINT");
  launcher.kill("SIGINT");
  expect(await exit).toBe(7);
  expect(lines().slice(1)).toEqual(["SIGINT"]);
  await expect.poll(() => lives(child), { timeout: 5000 }).toBe(false);
});

it("ends the program when the launcher itself is killed", async () => {
  const { launcher, lines, child } = await launch("orphaned");
  launcher.kill("SIGKILL");
  await expect.poll(() => lines().slice(1), { timeout: 5000 }).toEqual(["SIGTERM"]);
  await expect.poll(() => lives(child), { timeout: 5000 }).toBe(false);
});

it("ends its program when npm's shell, which keeps signals to itself, is gone", async () => {
  const { launcher, exit, lines, child } = await launch("shell-gone", "npm's shell");
  launcher.kill("SIGTERM");
  await exit;
  await expect.poll(() => lines().slice(1), { timeout: 5000 }).toEqual(["SIGTERM"]);
  await expect.poll(() => lives(child), { timeout: 5000 }).toBe(false);
});
