/** The anchor: one XADD, one blocking read of a consumer group, nothing else. As raw as the client allows. */
import { createClient } from "@redis/client";
import { ordersKept } from "#core/fleet.ts";
import { type Contender, payload, underWay } from "./contender.ts";

const stream = "bench:bare";
type Reply = [stream: string, entries: [id: string, fields: string[]][]][];

export async function bareRedis(url: string): Promise<Contender> {
  const connect = async () => {
    const client = createClient({ url, RESP: 2, disableClientInfo: true, maintNotifications: "disabled" });
    client.on("error", (error) => jobs.fail(error));
    await client.connect();
    return client;
  };
  const jobs = underWay();
  const [sender, receiver] = [await connect(), await connect()];
  await sender.sendCommand(["XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"]);
  let width = 1;
  let closed = false;

  async function read() {
    while (!closed) {
      const command = ["XREADGROUP", "GROUP", "g", "c", "COUNT", String(width), "BLOCK", "1000", "STREAMS", stream, ">"];
      const reply = (await receiver.sendCommand(command)) as Reply | null;
      for (const [, entries] of reply ?? []) for (const [, [, id = ""]] of entries) jobs.arrive(id);
    }
  }
  const reading = read().catch((error: unknown) => jobs.fail(error));

  return {
    name: "bare",
    about: "XADD → blocking XREADGROUP; not acknowledged",
    async hand() {
      const { id, arrived } = jobs.start();
      // As short as our own streams are kept, so that memory is the same.
      await sender.sendCommand(["XADD", stream, "MAXLEN", "~", String(ordersKept), "*", "id", id, "e", payload]);
      return arrived;
    },
    widen(inFlight) {
      width = inFlight;
    },
    settled: async () => {},
    async close() {
      closed = true;
      await reading;
      sender.destroy();
      receiver.destroy();
    },
  };
}
