#!/usr/bin/env bash
# tidy.sh DIR DAYS: removes files in DIR that nobody has changed for DAYS days.
set -euo pipefail

if (($# != 2)); then
  echo "usage: tidy.sh DIR DAYS" >&2
  exit 2
fi
dir=$1
days=$2

find "$dir" -type f -mtime "+$days" -print0 | while IFS= read -r -d '' file; do
  rm -- "$file"
  echo "removed $file"
done
