import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Folders whose tests start servers, sandboxes or git. Every other folder of test/ is a unit test: fast, no processes. */
const integration = ["adapters", "branch-agent", "dashboard", "dev", "hq-worker"];
const testsIn = (folder: string) => `test/${folder}/**/*.test.{ts,tsx}`;

/** Groups run one after the other, in this order; files of one group run beside each other. */
const order = { unit: 0, integration: 1, workers: 2, e2e: 3 };

/** More than a minute each, the longest first. Begun last, one of them would run on alone: on a clean checkout Vitest goes by the size of files. */
const long = [
  "chaos/short-run",
  "chaos/faults-branch",
  "branch-agent/killed/killed-work",
  "chaos/faults-hq",
  "dashboard/browser",
  "e2e/bad-model",
  "e2e/killed-turn",
  "e2e/matrix",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = long.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? long.length : at;
    };
    const group = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    return (await super.sort(files)).toSorted((a, b) => group(a) - group(b) || place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    watch: false,
    sequence: { sequencer: LongestFirst },
    teardownTimeout: 10_000,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.{ts,tsx}"],
          exclude: [...integration, "workers", "e2e", "chaos"].map(testsIn),
          sequence: { groupOrder: order.unit },
          maxWorkers: 2,
          // Loading the modules anew for each file takes longer than all the tests.
          isolate: false,
          testTimeout: 10_000,
          hookTimeout: 10_000,
        },
      },
      {
        test: {
          name: "integration",
          include: integration.map(testsIn),
          sequence: { groupOrder: order.integration },
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: inject<Record<string, string>>("bindings") },
          })),
        ],
        test: {
          name: "workers",
          include: [testsIn("workers")],
          globalSetup: ["test/workers/servers.ts"],
          sequence: { groupOrder: order.workers },
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: [testsIn("e2e"), testsIn("chaos")],
          sequence: { groupOrder: order.e2e },
          // They wait for each other's processes more than they compute.
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
