#!/bin/sh
# deb.sh - build/deb/dunlin_VERSION_ARCH.deb out of what `make install` installs. Called by `make deb`.
#
#   make install DESTDIR=root PREFIX=/usr -> strip, compress -> conffile, changelog, copyright
#   -> dpkg-shlibdeps -> DEBIAN/* -> dpkg-deb
#
# The same sources give the same bytes: times are the changelog's.
set -eu
umask 022
cd "$(dirname "$0")/../.."
here=docs/packaging
out=build/deb
root=$out/root

command -v dpkg-shlibdeps >/dev/null || { echo 'deb.sh: dpkg-shlibdeps is missing: make deps' >&2; exit 1; }

version=$(sed -n 's/^#define CMD_VERSION "\(.*\)"$/\1/p' src/drive/cmd.h)
logged=$(sed -n '1s/^dunlin (\(.*\)).*/\1/p' $here/changelog)
if [ "$version" != "$logged" ]; then
	echo "deb.sh: $here/changelog begins with $logged, the program is $version: add an entry" >&2
	exit 1
fi
arch=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l$here/changelog -S Timestamp)
export SOURCE_DATE_EPOCH

rm -rf $out
mkdir -p $root/DEBIAN $root/etc/dunlin $out/debian
make --no-print-directory install DESTDIR="$PWD/$root" PREFIX=/usr UNITDIR=/lib/systemd/system \
	ZSHDIR=/usr/share/zsh/vendor-completions >/dev/null
strip --strip-unneeded --remove-section=.comment --remove-section=.note $root/usr/bin/dunlin

# The example is the configuration, with the one key that must differ.
sed 's|^#dir = data$|dir = /var/lib/dunlin|' docs/dunlin.conf.example |
	sed '1s/.*/# dunlin.conf - the configuration of the service: every key, with its default and what it means./' \
		>$root/etc/dunlin/dunlin.conf
grep -q '^dir = /var/lib/dunlin$' $root/etc/dunlin/dunlin.conf

doc=$root/usr/share/doc/dunlin
cp $here/copyright $doc/
gzip -9nc $here/changelog >$doc/changelog.gz
gzip -9n $root/usr/share/man/man*/*
find $doc -name '*.md' -size +4k -exec gzip -9n {} +

# ---- what dpkg wants to know -----------------------------------------------------------------------

printf 'Source: dunlin\n\nPackage: dunlin\nArchitecture: any\nDepends: ${shlibs:Depends}\n' >$out/debian/control
depends=$(cd $out && dpkg-shlibdeps -O root/usr/bin/dunlin | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo 'deb.sh: dpkg-shlibdeps names nothing' >&2; exit 1; }
size=$(du -sk --apparent-size --exclude=DEBIAN $root | cut -f1)
sed -e "s|@VERSION@|$version|" -e "s|@ARCH@|$arch|" -e "s|@SIZE@|$size|" -e "s|@DEPENDS@|$depends|" \
	$here/control >$root/DEBIAN/control
echo /etc/dunlin/dunlin.conf >$root/DEBIAN/conffiles
for script in postinst prerm postrm; do
	install -m 755 $here/$script $root/DEBIAN/$script
done
(cd $root && find usr lib -type f | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)

dpkg-deb --root-owner-group --build $root "$out/dunlin_${version}_$arch.deb" >/dev/null
echo "$out/dunlin_${version}_$arch.deb"
