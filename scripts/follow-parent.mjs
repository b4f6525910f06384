/**
 * Preloaded into a program that `foreground.mjs` runs: if the launcher is killed outright, the program ends as if asked
 * to, and takes what is left of its process group along.
 */
if (process.env.UAC_LAUNCHER === String(process.ppid) && process.channel) {
  process.once("disconnect", () => {
    process.once("exit", () => process.kill(-process.pid, "SIGKILL"));
    process.kill(process.pid, "SIGTERM");
  });
  process.channel.unref();
}
