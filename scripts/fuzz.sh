#!/usr/bin/env bash
# Runs every fuzz target of the tree for the time given, such as 60s.
set -euo pipefail

cd "$(dirname "$0")/.."
grep -rhoE --include='*_test.go' -H '^func (Fuzz[A-Za-z0-9_]+)' internal | while IFS=: read -r file func; do
	target=${func#func }
	package=./$(dirname "$file")
	echo "$package $target"
	scripts/go.sh test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$package" </dev/null | tail -2
done
