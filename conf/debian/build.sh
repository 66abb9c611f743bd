#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build.sh ROOT VERSION OUTPUT: make a Debian package of what `make install DESTDIR=ROOT` has
# installed. Without debhelper: the package is one tree and five small files. The same tree and
# SOURCE_DATE_EPOCH give the same package, byte for byte.
#
# environment: SOURCE_DATE_EPOCH (seconds), DEB_MAINTAINER ("Name <address>")
set -eu

root=$1 version=$2 output=$3
here=$(dirname "$0")
doc=$root/usr/share/doc/riskhookd
: "${SOURCE_DATE_EPOCH:?}" "${DEB_MAINTAINER:?}"
export SOURCE_DATE_EPOCH

add_documents() {
	install -m 644 "$here/copyright" "$doc/copyright"
	install -D -m 644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/riskhookd"
	printf 'riskhookd (%s) unstable; urgency=medium\n\n  * Built from the source tree.\n\n -- %s  %s\n' \
		"$version" "$DEB_MAINTAINER" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" |
		gzip -9n >"$doc/changelog.gz"
	find "$root/usr/share/man" -type f -exec gzip -9n {} +
}

# what the programs are linked against, and the versions that have the symbols they use
dependencies() {
	scratch=$(mktemp -d)
	mkdir "$scratch/debian"
	printf 'Source: riskhookd\n\nPackage: riskhookd\nArchitecture: any\n' >"$scratch/debian/control"
	found=$(absolute=$(realpath "$root") && cd "$scratch" &&
		dpkg-shlibdeps -O "$absolute/usr/sbin/riskhookd" "$absolute/usr/bin/riskhookctl" \
			"$absolute/usr/lib/riskhookd/riskhook.so")
	rm -rf "$scratch"
	echo "${found#shlibs:Depends=}"
}

write_control() {
	depends=$(dependencies)
	size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f 1)
	sed -e "s|@VERSION@|$version|" -e "s|@ARCH@|$(dpkg --print-architecture)|" \
		-e "s|@MAINTAINER@|$DEB_MAINTAINER|" -e "s|@SIZE@|$size|" \
		-e "s|@DEPENDS@|$depends|" "$here/control.in" >"$root/DEBIAN/control"
	for script in postinst prerm postrm; do
		install -m 755 "$here/$script" "$root/DEBIAN/$script"
	done
	(cd "$root" && find usr lib -type f 2>/dev/null | LC_ALL=C sort | xargs md5sum) \
		>"$root/DEBIAN/md5sums"
	chmod 644 "$root/DEBIAN/md5sums" "$root/DEBIAN/control"
}

strip --strip-unneeded --remove-section=.comment --remove-section=.note \
	"$root/usr/sbin/riskhookd" "$root/usr/bin/riskhookctl" "$root/usr/lib/riskhookd/riskhook.so"
add_documents
install -d -m 755 "$root/DEBIAN"
write_control
dpkg-deb --root-owner-group -Zxz --build "$root" "$output"
