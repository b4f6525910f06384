/** Preloaded into what is measured: writes every host that it connects to or looks up into the file BENCH_HOSTS, a line each. */
import dns from "node:dns";
import { appendFileSync } from "node:fs";
import { Socket } from "node:net";

/** Sees the arguments of each call of a method before it is made. */
function watch(owner: object, method: string, see: (args: readonly unknown[]) => void) {
  const original = Reflect.get(owner, method);
  Reflect.set(owner, method, function (this: unknown, ...args: unknown[]) {
    see(args);
    return Reflect.apply(original, this, args);
  });
}

function tell(host: unknown) {
  appendFileSync(process.env.BENCH_HOSTS ?? "/dev/null", `${host ?? "127.0.0.1"}\n`);
}

watch(Socket.prototype, "connect", ([first]) => {
  // `net.connect` hands its arguments on as one list.
  const to = Array.isArray(first) ? first[0] : first;
  if (typeof to === "object" && to !== null && !("path" in to && to.path)) tell(Reflect.get(to, "host"));
});
watch(dns, "lookup", ([host]) => tell(host));
