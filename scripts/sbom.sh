#!/usr/bin/env bash
# Prints the packages of an image of Debian or Ubuntu as an SPDX document, from
# dpkg's own list in its file system: sbom.sh ROOTFS.ext4 NAME
# The same image gives the same document.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

rootfs=${1:?of which rootfs.ext4?} name=${2:?what is it called?}
export PATH=$PATH:/usr/sbin:/sbin

status=$(debugfs -R 'cat /var/lib/dpkg/status' "$rootfs" 2>/dev/null)
[[ -n $status ]] || die "$rootfs has no list of packages"
sum=$(sha256sum <"$rootfs" | cut -c1-64)
distro=$(debugfs -R 'cat /usr/lib/os-release' "$rootfs" 2>/dev/null | sed -n 's/^ID=//p')
when=$(debugfs -R 'stat /var/lib/dpkg/status' "$rootfs" 2>/dev/null | sed -n 's/.*mtime: 0x\([0-9a-f]*\).*/\1/p')

# A package is a paragraph; those that are removed and left a configuration are
# there too.
awk -v RS= -v FS='\n' '
	{
		delete f
		for (i = 1; i <= NF; i++)
			if (match($i, /^[A-Za-z-]+: /)) f[substr($i, 1, RLENGTH - 2)] = substr($i, RLENGTH + 1)
		if (f["Status"] ~ / installed$/) {
			split(f["Source"] == "" ? f["Package"] : f["Source"], source, " ")
			print f["Package"] "\t" f["Version"] "\t" f["Architecture"] "\t" source[1] "\t" f["Maintainer"]
		}
	}' <<<"$status" | LC_ALL=C sort | jq --raw-input --slurp \
	--arg name "$name" --arg sum "$sum" --arg distro "${distro//\"/}" --argjson when "$((16#${when:-0}))" '
	def id: "SPDXRef-Package-" + gsub("[^A-Za-z0-9.-]"; "-");
	(split("\n") | map(select(. != "") | split("\t"))) as $packages |
	{
		spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: $name,
		documentNamespace: "https://images.thaloco.com/sbom/\($name)-\($sum)",
		creationInfo: {created: ($when | todate), creators: ["Tool: banger-sbom"]},
		packages: ([{
			SPDXID: "SPDXRef-Image", name: $name, versionInfo: $sum[:12], downloadLocation: "NOASSERTION",
			filesAnalyzed: false, primaryPackagePurpose: "OPERATING-SYSTEM",
			checksums: [{algorithm: "SHA256", checksumValue: $sum}]
		}] + ($packages | map({
			SPDXID: ("\(.[0])-\(.[2])" | id), name: .[0], versionInfo: .[1], downloadLocation: "NOASSERTION",
			filesAnalyzed: false, supplier: "Organization: \(.[4])", sourceInfo: "built from the source package \(.[3])",
			externalRefs: [{
				referenceCategory: "PACKAGE-MANAGER", referenceType: "purl",
				referenceLocator: "pkg:deb/\($distro)/\(.[0] | @uri)@\(.[1] | @uri)?arch=\(.[2])"
			}]
		}))),
		relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-Image"}]
			+ ($packages | map({
				spdxElementId: "SPDXRef-Image", relationshipType: "CONTAINS", relatedSpdxElement: ("\(.[0])-\(.[2])" | id)
			})))
	}'
