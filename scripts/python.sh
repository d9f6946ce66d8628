#!/usr/bin/env bash
# Makes build/venv: the Python client as it is in the tree, and what its tests need,
# from PyPI. Quick the second time.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

cd "$(dirname "$0")/.."
venv=build/venv
wanted=$(cat clients/python/requirements-test.txt clients/python/pyproject.toml)
if [[ -f $venv/wanted && $(<$venv/wanted) == "$wanted" ]]; then
	exit
fi
rm -rf $venv
if ! python3 -m venv $venv ||
	! $venv/bin/pip install --quiet --disable-pip-version-check -r clients/python/requirements-test.txt ||
	! $venv/bin/pip install --quiet --disable-pip-version-check --editable clients/python; then
	rm -rf $venv
	say "Python's packages are not to be had: the tests that need them are skipped"
	exit
fi
printf '%s\n' "$wanted" >$venv/wanted
