import { expect, it } from "vitest";
import { readRemote } from "../../branch-agent/workspace/remote.ts";

it.each<[string, string | null, string | null]>([
  ["https://github.com/ann/demo.git", "https://github.com/ann/demo.git", "github.com/ann/demo"],
  ["https://ann:token@github.com/ann/demo", "https://github.com/ann/demo", "github.com/ann/demo"],
  ["https://github.com/ann/demo?token=x#y", "https://github.com/ann/demo", "github.com/ann/demo"],
  ["git@github.com:ann/demo.git", "git@github.com:ann/demo.git", "github.com/ann/demo"],
  ["ssh://git:pw@host:22/ann/demo.git", "ssh://git@host:22/ann/demo.git", "host/ann/demo"],
  ["/srv/demo.git", "/srv/demo.git", null],
  ["file:///srv/demo.git", "file:///srv/demo.git", null],
  ["https://git.example/group/sub/demo.git", "https://git.example/group/sub/demo.git", null],
  ["http://git.example/ann/demo.git", null, null],
  ["git://git.example/ann/demo.git", null, null],
  ["ext::sh -c touch% /tmp/x", null, null],
  ["fd::17", null, null],
  ["../demo.git", null, null],
  ["-oProxyCommand=x:y", null, null],
  ["ssh://-oProxyCommand=x/y", null, null],
  ["git@host:a b", null, null],
  ["--upload-pack=x", null, null],
])("the address %s is shown as %s", (url, shown, project) => {
  expect([readRemote(url)?.shown ?? null, readRemote(url)?.project ?? null]).toEqual([shown, project]);
});
