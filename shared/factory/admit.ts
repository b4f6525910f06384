/**
 * Who a factory is on the bus. Where the server has users, each factory gets one of its own, which can do that factory's part and nothing
 * else: made off when it asks to join, let in when the owner approves, made again when the server forgot it, deleted when it is retired.
 * HQ keeps a hash of the password, the machine alone the password.
 */
import { hasCode } from "#core/errors.ts";
import type { Bus } from "#ports/bus.ts";
import type { Factory } from "#ports/factories.ts";
import type { Headquarters } from "./headquarters.ts";

/** What a machine is told of the bus when it joins, and the hash that HQ keeps; null where it got no user of its own. */
export interface BusAccess {
  busUrl: string;
  busToken: string;
  busHash: string | null;
}

/** Rejects as the bus does where nobody can tell whether a user was made: the machine asks again with a new code. */
export async function busAccess(deps: Headquarters, hash: (secret: string) => Promise<string>, factory: string): Promise<BusAccess> {
  const { settings, bus, ids } = deps;
  const { branchBusUrl, branchBusToken } = settings;
  const busUrl = branchBusUrl ?? settings.busUrl;
  // What the operator gave branches is what they get.
  if (branchBusToken || (branchBusUrl && holdsLogin(branchBusUrl))) return { busUrl, busToken: branchBusToken ?? "", busHash: null };
  if (/^rediss?:/i.test(busUrl)) {
    const password = ids.secret(24);
    const busHash = await hash(password);
    const user = await newUser(bus, factory, busHash);
    if (user) return { busUrl: withLogin(busUrl, user, password), busToken: "", busHash };
  }
  await warn(deps, factory);
  return { busUrl, busToken: settings.busToken ?? "", busHash: null };
}

/** The user's name; null where none can be made. Whoever is logged in as the machine that had this id before is thrown out. */
async function newUser(bus: Bus, factory: string, passwordHash: string): Promise<string | null> {
  try {
    await bus.expel(factory);
    return await bus.admit(factory, { passwordHash, on: false });
  } catch (error) {
    if (hasCode(error, "bus_denied")) return null;
    throw error;
  }
}

/** Makes its user and its streams again. For a factory that was approved; repeatable, and whoever is logged in stays so. */
export async function readmit(
  { bus }: Pick<Headquarters, "bus">,
  { id, status, busHash }: Pick<Factory, "id" | "status" | "busHash">,
): Promise<void> {
  if (status === "pending" || status === "retired") return;
  if (busHash) await bus.admit(id, { passwordHash: busHash, on: true });
  await bus.open(id);
}

/** Deletes a retired factory's user at once; where the bus fails, the minute tick tries again. */
export async function expel({ bus, store, log }: Headquarters, { id, busHash }: Pick<Factory, "id" | "busHash">): Promise<void> {
  if (!busHash) return;
  try {
    await bus.expel(id);
    await store.factories.forgetBusUser(id);
  } catch (error) {
    log.error("a retired factory's user on the bus could not be deleted yet", { factory: id, error });
  }
}

/** For the tick: users that should be gone. */
export async function expelRetired(deps: Headquarters): Promise<void> {
  for (const factory of await deps.store.factories.list()) {
    if (factory.status === "retired") await expel(deps, factory);
  }
}

/** Not refused, since not every bus has users; but the owner is told what it means, once for each factory. */
async function warn({ store, clock, log }: Headquarters, factory: string) {
  const text =
    `${factory} was given headquarters' own login for the bus, with which it can read and delete what is other factories'. ` +
    "Use a Redis where BUS_URL's user may run ACL SETUSER and ACL DELUSER, or set BRANCH_BUS_URL or BRANCH_BUS_TOKEN to a login with less (docs/bus.md).";
  log.warn(text, { factory });
  await store.incident({ kind: "shared_bus_login", factory, text, digest: `bus-login:${factory}` }, clock.now());
}

function holdsLogin(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username !== "" || password !== "";
}

function withLogin(url: string, user: string, password: string): string {
  const address = new URL(url);
  address.username = user;
  address.password = password;
  return address.href;
}
