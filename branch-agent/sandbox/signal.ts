/** To a process, or (a negative number) to its group; one that has ended already gets none. */
export function send(pid: number, signal: NodeJS.Signals) {
  // 0 and -1 would be the factory's own group, and everybody.
  if (!Number.isInteger(pid) || Math.abs(pid) < 2) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}
