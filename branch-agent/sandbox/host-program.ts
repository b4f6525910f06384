/** Programs of this machine that the sandbox itself needs. */
import { spawn } from "node:child_process";
import { accessSync, constants, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";
import { boundedOutput } from "./bounded-output.ts";

const checkMs = 10_000;

/** A short host program's output and exit code. `input` is a descriptor. */
export function collect(
  program: string,
  args: readonly string[],
  input: number | "ignore" = "ignore",
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const output = boundedOutput(4_096);
    const child = spawn(program, args, { env: {}, cwd: "/", stdio: [input, "pipe", "pipe"], timeout: checkMs, killSignal: "SIGKILL" });
    child.stdout?.on("data", output.push);
    child.stderr?.on("data", output.push);
    child.once("error", (error) => resolve({ code: null, output: error.message }));
    child.once("close", (code) => resolve({ code, output: output.read().output }));
  });
}

/** Its path; a name is looked up on PATH. Null where there is none that may be run. */
export function findProgram(name: string): string | null {
  const candidates = name.includes("/") ? [name] : (process.env.PATH ?? "").split(delimiter).map((dir) => join(dir, name));
  for (const path of candidates) {
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {
      // Not here: the next one.
    }
  }
  return null;
}
