#!/usr/bin/env bash
# tidy.sh [--dry-run] DIR DAYS: removes files in DIR that nobody has changed for DAYS days. With --dry-run it only says which.
set -euo pipefail

dry=false
if [[ ${1-} == --dry-run ]]; then
  dry=true
  shift
fi
if (($# != 2)); then
  echo "usage: tidy.sh [--dry-run] DIR DAYS" >&2
  exit 2
fi
dir=$1
days=$2

find "$dir" -type f -mtime "+$days" -print0 | while IFS= read -r -d '' file; do
  if $dry; then
    echo "would remove $file"
  else
    rm -- "$file"
    echo "removed $file"
  fi
done
