/** The transports as headquarters uses them: inside workerd, over its own sockets and fetch. */
import { env } from "cloudflare:workers";
import { createClient } from "@libsql/client/web";
import { createClient as createRedisClient } from "@redis/client";
import { libsqlBus } from "#adapters/bus/libsql.ts";
import { redisBus } from "#adapters/bus/redis.ts";
import { upstashBus } from "#adapters/bus/upstash.ts";
import { type Channel, streamOf } from "#core/fleet.ts";
import { busContract } from "../contracts/bus.contract.ts";

const {
  BUS_URL: redisUrl = "",
  TEST_LIBSQL_BUS: libsqlUrl = "",
  TEST_LIBSQL_BUS_TOKEN: authToken = "",
  TEST_UPSTASH: upstashUrl = "",
  TEST_UPSTASH_TOKEN: token = "",
} = env as unknown as Record<string, string>;

async function wipe({ factory, channel }: { factory: string; channel: Channel }) {
  const client = createRedisClient({ url: redisUrl });
  await client.connect();
  await client.del(streamOf(factory, channel));
  client.destroy();
}

busContract("redis, in workerd", async () => ({ connect: () => redisBus({ url: redisUrl }), wipe, async stop() {} }));

busContract("upstash, in workerd", async () => ({ connect: () => upstashBus({ url: upstashUrl, token }), wipe, async stop() {} }));

busContract("libsql over HTTP, in workerd", async () => {
  const open = () => createClient({ url: libsqlUrl, authToken });
  return {
    connect: () => libsqlBus(open()),
    async wipe({ factory, channel }) {
      const tables = ["bus_streams", "bus_entries", "bus_pending"];
      await open().batch(tables.map((table) => ({ sql: `delete from ${table} where stream = ?`, args: [streamOf(factory, channel)] })));
    },
    async stop() {},
  };
});
