/** The gateway by itself, until Ctrl-C: `BUS_TOKEN=… npx tsx dev/upstash redis://127.0.0.1:6379 [port]`. */
import { startUpstashGateway } from "./start.ts";

const [redisUrl = "", port = "8079"] = process.argv.slice(2);
const token = process.env.BUS_TOKEN ?? "";
if (!/^rediss?:\/\//.test(redisUrl) || !/^\d{1,5}$/.test(port) || token === "") {
  process.stderr.write("BUS_TOKEN=… npx tsx dev/upstash redis://127.0.0.1:6379 [port]\n");
  process.exitCode = 2;
} else {
  const { url } = await startUpstashGateway({ redisUrl, token, port: Number(port) });
  process.stderr.write(`BUS_URL=upstash+${url}\n`);
}
