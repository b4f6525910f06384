/** Preloaded into a program that `foreground.mjs` runs: if the launcher is killed outright, the program ends as if asked to. */
if (process.env.UAC_LAUNCHER === String(process.ppid) && process.channel) {
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}
