/** Which addresses a name may lead to. A list of hosts names public services; what else a name server answers is not followed. */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

/** IANA's special-purpose registries for IPv4: this network, private, shared, loopback, link-local (cloud metadata), protocols, tests, multicast. */
const closed4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"],
  ...["192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24"],
  ...["203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"],
];
/** Within the global unicast range 2000::/3: protocol assignments and Teredo, documentation, 6to4 (which wraps any IPv4 address). */
const closed6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const refused = new BlockList();
for (const range of closed4) refused.addSubnet(...parts(range), "ipv4");
for (const range of closed6) refused.addSubnet(...parts(range), "ipv6");
const global6 = new BlockList();
global6.addSubnet("2000::", 3, "ipv6");

function parts(range: string): [string, number] {
  const [address = "", bits = ""] = range.split("/");
  return [address, Number(bits)];
}

/** An address of the public internet, and none of this machine's own. Mapped, wrapped and scoped forms of IPv4 are outside 2000::/3. */
export function isPublic(address: string): boolean {
  if (isOwn(address)) return false;
  if (isIPv4(address)) return !refused.check(address, "ipv4");
  return isIPv6(address) && !address.includes("%") && global6.check(address, "ipv6") && !refused.check(address, "ipv6");
}

/** A service that listens on all of this machine's addresses counts on its firewall, which does not see what comes from within. */
function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((each) => each?.some((own) => own.address === address));
}
