#!/usr/bin/env bash
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
touch -d "40 days ago" "$dir/old" "$dir/old file"
touch "$dir/new"
"$here/tidy.sh" "$dir" 30 > /dev/null
[[ ! -e $dir/old && ! -e "$dir/old file" && -e $dir/new ]]
echo ok
