#!/usr/bin/env bash
# Has schemathesis, from PyPI, try banger serve by its own description: the same requests
# each time, on a state that begins empty. Where it cannot be had, that is a failure:
# nothing was checked.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

banger=$(realpath "${1:?which banger is to be used?}")
cd "$(dirname "$0")/.."
wanted=schemathesis==4.32.5
venv=build/schemathesis
if [[ ! -f $venv/wanted || $(<$venv/wanted) != "$wanted" ]]; then
	rm -rf $venv
	if ! python3 -m venv $venv || ! $venv/bin/pip install --quiet --disable-pip-version-check $wanted; then
		rm -rf $venv
		die "$wanted is not to be had from PyPI: nothing was checked"
	fi
	echo $wanted >$venv/wanted
fi

work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; wait; rm -rf "$work"' EXIT
openssl req -x509 -newkey ed25519 -nodes -keyout "$work/key" -out "$work/crt" -days 1 -subj /CN=localhost \
	-addext subjectAltName=IP:127.0.0.1 2>/dev/null
export BANGER_API_TOKEN=0123456789abcdef
mkfifo "$work/said"
exec 3<>"$work/said"
HOME=$work "$banger" serve --listen 127.0.0.1:0 --tls-cert "$work/crt" --tls-key "$work/key" 2>&3 &
server=$!
read -rt 60 said <&3 || die "banger serve says nothing"
address=${said#serving at }
[[ $address != "$said" ]] || die "banger serve: $said"
"$banger" serve --openapi >"$work/openapi.json"

# What has no end of its own, and what speaks to registries that a machine made up, is left out.
$venv/bin/schemathesis run "$work/openapi.json" --url "https://$address" --tls-verify "$work/crt" \
	--header "Authorization: Bearer $BANGER_API_TOKEN" --exclude-path-regex '/(events|watch|runs|push|images|kernels|refresh)$' \
	--generation-deterministic --max-time 60 --request-timeout 20 --suppress-health-check all --no-color
