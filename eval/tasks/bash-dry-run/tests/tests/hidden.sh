#!/usr/bin/env bash
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
fill() {
  touch -d "40 days ago" "$dir/old" "$dir/old file"
  touch "$dir/new"
}
fail() {
  echo "$1" >&2
  exit 1
}
fill
said=$("$here/tidy.sh" --dry-run "$dir" 30 | sort)
[[ -e $dir/old && -e "$dir/old file" ]] || fail "--dry-run removed something"
[[ $said == "$(printf 'would remove %s\n' "$dir/old" "$dir/old file" | sort)" ]] || fail "it said: $said"
said=$("$here/tidy.sh" "$dir" 30 | sort)
[[ ! -e $dir/old && ! -e "$dir/old file" && -e $dir/new ]] || fail "without it nothing is removed any more"
[[ $said == "$(printf 'removed %s\n' "$dir/old" "$dir/old file" | sort)" ]] || fail "it said: $said"
code=0
"$here/tidy.sh" --dry-run 2> /dev/null || code=$?
[[ $code == 2 ]] || fail "wrong usage ends with $code"
echo ok
