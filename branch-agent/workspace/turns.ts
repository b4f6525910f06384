/** One at a time for what git itself does not do side by side: adding and removing worktrees of the same repository. */

/** Runs what has the same key one after the other. Whoever waits is a task of this factory's, so there are never many. */
export function turns() {
  const last = new Map<string, Promise<unknown>>();
  return async function inTurn<T>(key: string, act: () => Promise<T>): Promise<T> {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(act, act);
    const settled = mine.catch(() => undefined);
    last.set(key, settled);
    void settled.then(() => {
      if (last.get(key) === settled) last.delete(key);
    });
    return mine;
  };
}
