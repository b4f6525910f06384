/** BullMQ over ioredis, as its documentation sets it up: `add` → the worker's processor. Done jobs are removed. */
import { Queue, Worker } from "bullmq";
import { type Contender, payload, underWay } from "./contender.ts";

export async function bullMq({ port }: { port: number }): Promise<Contender> {
  const jobs = underWay();
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const queue = new Queue<{ id: string; text: string }>("bench", { connection, defaultJobOptions: { removeOnComplete: true } });
  const worker = new Worker<{ id: string; text: string }>("bench", async ({ data }) => jobs.arrive(data.id), { connection });
  let added = 0;
  let completed = 0;
  let onCompleted = () => {};
  worker.on("completed", () => {
    completed += 1;
    onCompleted();
  });
  worker.on("failed", (_, error) => jobs.fail(error));
  queue.on("error", (error) => jobs.fail(error));
  worker.on("error", (error) => jobs.fail(error));
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);

  return {
    name: "bullmq",
    about: "add → processor; its job is completed and removed, which the next one waits for",
    async hand() {
      const { id, arrived } = jobs.start();
      added += 1;
      await queue.add("job", { id, text: payload });
      return arrived;
    },
    widen(inFlight) {
      worker.concurrency = inFlight;
    },
    async settled() {
      while (completed < added) await new Promise<void>((resolve) => (onCompleted = resolve));
    },
    async close() {
      await worker.close(true);
      await queue.close();
    },
  };
}
