# shellcheck shell=bash
# What publishing a kernel and publishing an image have in common; sourced
# after lib.sh.
# A bundle goes to an rclone remote under two names and is read back through
# its public URL. The caller patches the catalog after that, and only then.
#
# Set by the caller: RCLONE_REMOTE, RCLONE_BUCKET, BASE_URL.

# need PROGRAM...: fails if one is not there.
need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || die "$program is not installed, and publishing needs it"
	done
}

# field NAME FILE: prints a value of a JSON object.
field() { jq --exit-status --raw-output --arg name "$1" '.[$name]' "$2"; }

# sha256 FILE: prints its digest alone.
sha256() { sha256sum <"$1" | cut -c1-64; }

# object NAME: prints where rclone finds it.
object() { echo "$RCLONE_REMOTE:$RCLONE_BUCKET/$1"; }

# upload FILE NAME CACHING: replaces the object.
upload() {
	say "uploading $(object "$2")"
	rclone copyto --checksum --no-update-modtime --header-upload "Cache-Control: $3" "$1" "$(object "$2")" ||
		die "uploading $2 failed; the catalog is as it was"
}

# upload_bundle FILE NAME PINNED: NAME is for people and changes with each
# publishing; PINNED has the digest in it, is for catalogs and never changes.
upload_bundle() {
	upload "$1" "$3" "public, max-age=31536000, immutable"
	upload "$1" "$2" "no-cache"
}

# check_head URL SIZE: wants status 200 and the length.
check_head() {
	local got
	got=$(curl --silent --show-error --head --retry 3 --output /dev/null \
		--write-out '%{http_code} %header{content-length}' "$1") ||
		die "$1 cannot be read; the catalog is as it was"
	[[ $got == "200 $2" ]] ||
		die "$1: status and length are \"$got\", not \"200 $2\"; the catalog is as it was"
}

# check_download URL SHA256: reads it all.
check_download() {
	local got
	got=$(curl --silent --show-error --fail --retry 3 "$1" | sha256sum | cut -c1-64) ||
		die "$1 cannot be downloaded; the catalog is as it was"
	[[ $got == "$2" ]] ||
		die "$1: the SHA-256 of what comes back is $got, not $2; the catalog is as it was"
}

# check_public FILE NAME PINNED: what was uploaded is what the public gets. The
# pinned name is read in full, as that is what pulls will read.
check_public() {
	local size
	size=$(stat --format %s "$1")
	say "checking $BASE_URL/$3"
	check_head "$BASE_URL/$3" "$size"
	check_head "$BASE_URL/$2" "$size"
	check_download "$BASE_URL/$3" "$(sha256 "$1")"
}

# remove_object NAME: one that is not there is no error.
remove_object() {
	say "removing $(object "$1")"
	rclone deletefile "$(object "$1")" || say "$(object "$1") was not removed; the catalog no longer names it"
}

# next_steps CATALOG SUBJECT: prints the commands that follow.
next_steps() {
	cat <<END
The catalog is patched. What follows:

    git diff -- $1
    git add $1
    git commit -m "$2"
    make build test

END
}
