/** One run: a town, a deck of faults, jobs for it to do meanwhile; then quiet, a last round, and the judgement. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HqKind } from "../box/hq.ts";
import type { Invariant } from "./checks/invariant.ts";
import { everyBranchWorked, faultsLanded } from "./checks/landed.ts";
import { type Dealer, dealerIn, type Landed, NotLanded } from "./dealer.ts";
import { faults } from "./faults.ts";
import { judge, settled } from "./judge.ts";
import { type Owner, ownerOf } from "./owner.ts";
import type { Planned } from "./plan.ts";
import { chance, type Random, randomFrom } from "./random.ts";
import type { Sabotage } from "./sabotage.ts";
import { openTown, type Town } from "./town.ts";

export interface RunOptions {
  tasks: number;
  seed: number;
  hq: HqKind;
  sabotage: Sabotage | null;
  deck: readonly Planned[];
  /** Longest time for dealing and working, machine seconds. */
  seconds: number;
  say(line: string): void;
}

export interface RunReport {
  hq: HqKind;
  tasks: number;
  seconds: number;
  landed: readonly Landed[];
  invariants: Invariant[];
  /** Where the town's logs are; null if everything held. */
  logs: string | null;
}

/** A fault that found nothing to hurt is dealt again, so often. */
const tries = 3;
/** So many jobs are open while faults are dealt, even if that makes more than were asked for: a fault needs something to land on. */
const atWork = 4;
/** Pause between faults, town time: from a few seconds to a minute. */
const pause = { min: 4_000, max: 24_000 };
/** How long the town may take to come to rest once everything is healed, machine time. */
const restMs = 150_000;
/** Without a guard it may never: this is long enough for an order that was forgotten to be missed. */
const sabotagedRestMs = 45_000;

export async function runChaos(options: RunOptions): Promise<RunReport> {
  const { seed, hq, sabotage, deck, say } = options;
  const dir = await mkdtemp(join(tmpdir(), "uac-chaos-"));
  const begun = Date.now();
  const town = await openTown({ dir, hq, seed, sabotage });
  try {
    say(`the town stands after ${secondsSince(begun)} s: headquarters in ${hq}, ${town.branches.length} branches`);
    town.model.pace = ({ serial, role }) => sleep(thinking(chance(seed, "pace", serial)) * (role === "simone" ? 0.1 : 1));
    const random = randomFrom(seed ^ 0x5eed);
    const dealer = dealerIn(town, random);
    const owner = ownerOf(town, random);
    const missed = await workUnderFaults({ ...options, town, dealer, owner, random });
    await dealer.healed();
    say(`${dealer.landed.length} faults landed, ${owner.jobs.length} jobs asked for after ${secondsSince(begun)} s; waiting for rest`);
    if (sabotage) await owner.allDone(sabotagedRestMs);
    else {
      await owner.allDone(restMs);
      owner.askEach();
      await owner.allDone(restMs);
    }
    const run = { jobs: owner.jobs, wishes: owner.wishes, landed: dealer.landed, cancelled: dealer.cancelled, hopeless: new Set<number>() };
    const { evidence, invariants: held } = await judge(town, run, await settled(town));
    const invariants = [...held, everyBranchWorked(evidence), faultsLanded(deck, dealer.landed, missed)];
    const well = invariants.every(({ ok }) => ok);
    if (well) await rm(dir, { recursive: true, force: true });
    return { hq, tasks: evidence.tasks.length, seconds: secondsSince(begun), landed: dealer.landed, invariants, logs: well ? null : dir };
  } finally {
    await town.stop();
  }
}

interface Work extends RunOptions {
  town: Town;
  dealer: Dealer;
  owner: Owner;
  random: Random;
}

/** Deals the deck while the owner asks for jobs, and spreads one over the other. Resolves to what never landed. */
async function workUnderFaults({ tasks, seconds, dealer, owner, deck, random, say }: Work): Promise<Planned[]> {
  const end = Date.now() + seconds * 1000;
  const waiting = deck.map((planned) => ({ planned, tries: 0 }));
  let through = false;
  const missed: Planned[] = [];
  // One spread over the other.
  const mayAsk = () => (through ? tasks : Math.ceil((tasks * (dealer.landed.length + missed.length + 1)) / (deck.length + 1)));
  const asking = owner.ask({ mayAsk, mustBeOpen: () => (through ? 0 : atWork), enough: () => through && owner.jobs.length >= tasks });
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { planned } = next;
    try {
      if (Date.now() > end) throw new NotLanded("the time was up");
      // What another fault still hurts is the likeliest reason why there was nothing to land on.
      if (next.tries > 0) await dealer.healed();
      await dealer.deal(planned, faults[planned.kind]);
      const { target } = dealer.landed.at(-1) ?? { target: "" };
      say(`  ${dealer.landed.length}/${deck.length} ${planned.kind}${planned.point ? ` at ${planned.point}` : ""} → ${target}`);
    } catch (error) {
      if (!(error instanceof NotLanded)) throw error;
      say(`  not landed: ${planned.kind}${planned.point ? ` at ${planned.point}` : ""}: ${error.message}`);
      if (next.tries + 1 < tries && Date.now() < end) waiting.push({ planned, tries: next.tries + 1 });
      else missed.push(planned);
    }
    await dealer.sleep(random.whole(pause.min, pause.max));
  }
  through = true;
  await asking;
  return missed;
}

/** How long a call of the model's takes, machine time: mostly short, now and then long enough to be met by anything. */
function thinking(at: number): number {
  return at < 0.7 ? 200 + at * 1400 : 1500 + (at - 0.7) * 10_000;
}

function secondsSince(from: number) {
  return Math.round((Date.now() - from) / 100) / 10;
}
