/** How whoever works on a task heeds the owner: hears what was said, and stands still when told to, or at a budget. Over restarts, from the journal. */
import * as z from "zod";
import { type Steer, standing } from "#core/control.ts";
import { attemptFact } from "#ports/journal.ts";
import type { Entry } from "#ports/transcript.ts";
import type { Branch, Grant } from "./branch.ts";

/** Times are the factory's clock, milliseconds. */
const stillSchema = z.strictObject({ since: z.int().nullable(), total: z.int().nonnegative() });

export interface Heed {
  /** Waits while the task is paused; resolves to what the owner said and the transcript has not. */
  between(entries: readonly Entry[]): Promise<Entry[]>;
  /**
   * Stands still for a reason of its own until `look` says that it may go on: asked at once, whenever something was said, and now and
   * then. Or until the run is to end.
   */
  rest(why: string, look: () => Promise<boolean>): Promise<void>;
  /** What the owner said when nobody was there any more to hear it. */
  missed(): Promise<string[]>;
  /** Milliseconds that it stood still, up to now. */
  stoodStill(): number;
}

/** Between two looks where nobody says anything: a budget of the day is there again with the next. */
const lookMs = 15_000;

interface Attempt {
  task: string;
  epoch: number;
}

export async function heed(
  { journal, clock }: Pick<Branch, "journal" | "clock">,
  { task, epoch }: Attempt,
  grant: Pick<Grant, "signal" | "news">,
  tell: (kind: "paused" | "resumed" | "steered", text: string) => void,
): Promise<Heed> {
  const key = attemptFact("still", { task, epoch });
  const kept = await journal.get(key);
  let still = kept === null ? { since: null, total: 0 } : stillSchema.parse(JSON.parse(kept));

  const pausedFor = () => (still.since === null ? 0 : Math.max(0, clock.now() - still.since));
  async function set(changed: z.infer<typeof stillSchema>) {
    still = changed;
    await journal.set(key, JSON.stringify(still));
  }
  async function stand() {
    if (still.since === null) await set({ ...still, since: clock.now() });
  }
  async function goOn() {
    if (still.since === null) return;
    await set({ since: null, total: still.total + pausedFor() });
    if (!grant.signal.aborted) tell("resumed", "goes on");
  }

  return {
    stoodStill: () => still.total + pausedFor(),
    async rest(why, look) {
      let told = false;
      for (;;) {
        const news = grant.news();
        if (grant.signal.aborted || (await look())) return goOn();
        await stand();
        if (!told) {
          // A desktop that is shut down every evening begins it anew each day.
          await journal.survived(task, epoch);
          tell("paused", why);
        }
        told = true;
        const enough = new AbortController();
        await Promise.race([news, clock.sleep(lookMs, AbortSignal.any([grant.signal, enough.signal]))]);
        enough.abort();
      }
    },
    async missed() {
      const { steers } = standing(await journal.controls(task, epoch));
      if (steers.length === 0) return [];
      return unheard(steers, await journal.transcript(task, epoch).load()).map((steer) => steer.text);
    },
    async between(entries) {
      let told = false;
      for (;;) {
        // Asked for before the look, so that nothing said meanwhile is missed.
        const news = grant.news();
        const { paused, steers } = standing(await journal.controls(task, epoch));
        if (paused && !grant.signal.aborted) {
          await stand();
          if (!told) {
            // A desktop that is shut down every evening begins it anew each day.
            await journal.survived(task, epoch);
            tell("paused", "stands still until the owner lets it go on");
          }
          told = true;
          await Promise.race([news, aborted(grant.signal)]);
          continue;
        }
        await goOn();
        const fresh = grant.signal.aborted ? [] : unheard(steers, entries);
        for (const steer of fresh) tell("steered", steer.text);
        return fresh.map((steer) => ({ type: "user", text: `[The owner says, while you work:]\n${steer.text}`, control: steer.id }));
      }
    },
  };
}

/** What was said and does not stand in the transcript: so it gets there once, whatever dies in between. */
function unheard(steers: readonly Steer[], entries: readonly Entry[]): Steer[] {
  const heard = new Set(entries.flatMap((entry) => (entry.type === "user" && entry.control ? [entry.control] : [])));
  return steers.filter((steer) => !heard.has(steer.id));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
